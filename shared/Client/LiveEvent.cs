using System.Text.Json;

namespace Distributed.Client;

/// <summary>Something that happened, as the server tells it (docs/api.md, live events).</summary>
/// <param name="Id">Where it stands; give the last one as <c>after</c> to go on there.</param>
/// <param name="Kind">What it is about: <c>run</c>, <c>progress</c>, <c>epoch</c>, <c>model</c> …; <c>ready</c> first, and <c>reset</c> where some were missed.</param>
/// <param name="Data">Its fields.</param>
public sealed record LiveEvent(string Id, string Kind, JsonElement Data)
{
    /// <summary>The run that it is of; null where it is of none, or of several.</summary>
    public Guid? RunId => Data.TryGetProperty("runId", out var id) ? id.GetGuid() : null;
}
