using Distributed.Client;

namespace Distributed.Dashboard.Forms;

/// <summary>How somebody is about to call a run.</summary>
/// <param name="run">The run as it is called.</param>
internal sealed class LabelsDraft(RunSummary run)
{
    /// <summary>Its name; empty for none.</summary>
    public string Name { get; set; } = run.Name ?? "";

    /// <summary>Its labels.</summary>
    public List<string> Tags { get; } = [.. run.Tags];

    /// <summary>A label that is not added yet.</summary>
    public string NewTag { get; set; } = "";

    /// <summary>What people should know of it; empty for nothing.</summary>
    public string Note { get; set; } = run.Note ?? "";

    /// <summary>Adds the label that was typed.</summary>
    public void AddTag()
    {
        if (NewTag.Trim() is { Length: > 0 } tag && !Tags.Contains(tag, StringComparer.Ordinal))
        {
            Tags.Add(tag);
        }

        NewTag = "";
    }

    /// <summary>What is saved; a label that was typed and not added is meant, too.</summary>
    public RunLabels Write()
    {
        AddTag();
        return new RunLabels(NullIfEmpty(Name), Tags, NullIfEmpty(Note));
    }

    private static string? NullIfEmpty(string text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();
}
