using System.Diagnostics;
using OpenTelemetry.Trace;

namespace Distributed.ServiceDefaults;

/// <summary>
/// Begins a trace where something is asked of a host, and none where a host asks by itself: heartbeats and looks at the database, every
/// few seconds and for ever, would be traces of one span that belong to no run.
/// </summary>
internal sealed class CauseSampler : Sampler
{
    public override SamplingResult ShouldSample(in SamplingParameters samplingParameters) =>
        new(samplingParameters.Kind == ActivityKind.Client ? SamplingDecision.Drop : SamplingDecision.RecordAndSample);
}
