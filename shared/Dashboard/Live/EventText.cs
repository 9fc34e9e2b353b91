using System.Text.Json;
using Distributed.Client;

namespace Distributed.Dashboard.Live;

/// <summary>Something that happened to a run.</summary>
/// <param name="At">When (UTC).</param>
/// <param name="Text">What.</param>
public sealed record HeardEvent(DateTime At, string Text);

/// <summary>Live events as people read them.</summary>
internal static class EventText
{
    /// <summary>What an event says of a run; null where that is nothing for people.</summary>
    public static HeardEvent? Of(LiveEvent one)
    {
        var text = one.Kind switch
        {
            "run" when Text(one, "change") is "moved" or "submitted" => Text(one, "state"),
            "run" => Text(one, "change"),
            "progress" when Text(one, "done") is { } done => $"{Text(one, "job")}: {done} of {Text(one, "total")}",
            "progress" => $"{Text(one, "job")} {Text(one, "step")}: {Text(one, "state")}",
            "waiting" when Text(one, "waitingFor") is { } cause => $"waits: {cause}",
            "epoch" when Number(one, "penalty") is { } penalty => $"penalty {Words.Number(penalty)}{Validation(one)}",
            "epoch" => $"epoch {Text(one, "epoch")}{Validation(one)}",
            "result" when Number(one, "testAccuracy") is { } accuracy => $"tested: {Words.Percent(accuracy)} right",
            "deadLetter" => $"{Text(one, "change")} as a dead letter: {Text(one, "reason")}",
            _ => null,
        };
        return text is not null && one.Data.TryGetProperty("at", out var at) ? new HeardEvent(at.GetDateTime(), text) : null;
    }

    private static string Validation(LiveEvent one) =>
        Number(one, "validationAccuracy") is { } accuracy ? $", {Words.Percent(accuracy)} of the validation images right" : "";

    private static string? Text(LiveEvent one, string field) => one.Data.TryGetProperty(field, out var value) ? value.ToString() : null;

    private static double? Number(LiveEvent one, string field) =>
        one.Data.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;
}
