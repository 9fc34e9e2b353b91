using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Jobs;

namespace Distributed.AdminApi.Events;

/// <summary>A change as listeners get it; written once for all of them.</summary>
internal sealed class LiveEvent
{
    private LiveEvent(ChangePosition position) => Position = position;

    /// <summary>Where it stands; its text is the event's id.</summary>
    public ChangePosition Position { get; }

    /// <summary>The run; null where it is of none, or of those that need the scope.</summary>
    public Guid? RunId { get; private init; }

    /// <summary>The scope of jobs that it is of.</summary>
    public string? Scope { get; private init; }

    /// <summary>Whether its run needs its scope since.</summary>
    public bool IsJoined { get; private init; }

    /// <summary>Whether nobody is told: a later one says the same of a later moment.</summary>
    public bool IsHidden { get; private init; }

    /// <summary>Its bytes in a stream of server-sent events.</summary>
    public ReadOnlyMemory<byte> Frame { get; private init; }

    public static LiveEvent Of(ChangeRow row)
    {
        var runId =
            row.RunId is { } id ? Guid.Parse(id, CultureInfo.InvariantCulture)
            : row.Scope is { } scope ? JobKey.RunIdOf(scope)
            : null;
        return new LiveEvent(row.Position)
        {
            RunId = runId,
            Scope = row.Scope,
            IsJoined = row.Kind == "joined",
            IsHidden = row.Kind == ChangeTriggers.Begin || (row.Job is not null && row.Done is null),
            Frame = FrameOf($"{row.Position}", row.Kind, Write(row, runId)),
        };
    }

    /// <summary>What a listener gets that starts here, or has to start again.</summary>
    /// <param name="position">From where on it hears everything.</param>
    /// <param name="isReset">Whether events between its last one and this place may be missing.</param>
    public static ReadOnlyMemory<byte> Start(ChangePosition? position, bool isReset) =>
        FrameOf(
            position?.ToString(),
            isReset ? "reset" : "ready",
            Encoding.UTF8.GetBytes(
                isReset
                    ? """{"reason":"Events between your last one and now are not kept any more. Load again what you show."}"""
                    : """{"reason":"From here on you hear everything. Load now what you show."}"""
            )
        );

    /// <summary>A comment that keeps the connection, with the place that a listener has come to.</summary>
    public static ReadOnlyMemory<byte> Heartbeat(ChangePosition? position) =>
        Encoding.UTF8.GetBytes(position is null ? ": alive\n\n" : $": alive\nid: {position}\n\n");

    private static byte[] Write(ChangeRow row, Guid? runId)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("id", $"{row.Position}");
            json.WriteString("kind", row.Kind);
            json.WriteString("at", row.At);
            if (runId is { } run)
            {
                json.WriteString("runId", run);
            }

            if (row.Scope is { } scope)
            {
                json.WriteString("scope", scope);
            }

            using var data = JsonDocument.Parse(row.Data);
            foreach (var field in data.RootElement.EnumerateObject().Where(field => field.Value.ValueKind != JsonValueKind.Null))
            {
                field.WriteTo(json);
            }

            if (row.Done is { } done)
            {
                json.WriteNumber("done", done);
                json.WriteNumber("total", row.Total!.Value);
            }

            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>JSON has no line breaks outside of texts, and none unescaped in them: it is one line of data.</summary>
    private static byte[] FrameOf(string? id, string kind, ReadOnlySpan<byte> json) =>
        [.. Encoding.UTF8.GetBytes($"{(id is null ? "" : $"id: {id}\n")}event: {kind}\ndata: "), .. json, .. "\n\n"u8];
}
