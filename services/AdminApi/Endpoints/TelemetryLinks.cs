using System.ComponentModel.DataAnnotations;

namespace Distributed.AdminApi.Endpoints;

/// <summary>Settings of the section <c>Telemetry</c>: where people look at the traces and logs that the hosts send away.</summary>
public sealed class TelemetryOptions : IValidatableObject
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Telemetry";

    /// <summary>Address of a trace, with <c>{traceId}</c> where its id goes.</summary>
    public string? TraceUrl { get; set; }

    /// <summary>Address of the logs of a run, with <c>{runId}</c> or <c>{traceId}</c> where those go.</summary>
    public string? LogsUrl { get; set; }

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (name, template) in new[] { (nameof(TraceUrl), TraceUrl), (nameof(LogsUrl), LogsUrl) })
        {
            if (
                !string.IsNullOrEmpty(template)
                && (
                    !Uri.TryCreate(TelemetryLinks.Fill(template, "0", Guid.Empty), UriKind.Absolute, out var uri)
                    || uri.Scheme is not ("http" or "https")
                )
            )
            {
                yield return new ValidationResult($"is '{template}'; give an address that begins with http:// or https://", [name]);
            }
        }
    }
}

/// <summary>Where to look at what happened in a run; null where nobody has said where that is.</summary>
/// <param name="Trace">All its work, on all hosts, on one time line.</param>
/// <param name="Logs">What the hosts wrote about it.</param>
public sealed record TelemetryLinks(string? Trace, string? Logs)
{
    internal static TelemetryLinks Of(TelemetryOptions options, string? traceId, Guid runId) =>
        new(
            traceId is null || string.IsNullOrEmpty(options.TraceUrl) ? null : Fill(options.TraceUrl, traceId, runId),
            string.IsNullOrEmpty(options.LogsUrl) ? null : Fill(options.LogsUrl, traceId ?? "", runId)
        );

    internal static string Fill(string template, string traceId, Guid runId) =>
        template.Replace("{traceId}", traceId, StringComparison.Ordinal).Replace("{runId}", runId.ToString("D"), StringComparison.Ordinal);
}
