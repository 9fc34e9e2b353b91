using System.ComponentModel.DataAnnotations;
using Distributed.AdminApi.Endpoints;
using Distributed.Catalog;
using Distributed.Jobs;

namespace Distributed.AdminApi.Tests;

public sealed class TelemetryLinkTests
{
    private const string TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    private static readonly Guid RunId = Guid.Parse("6f1c1f6e-3a55-4f8e-9d2b-2f6d0c9f1a01");

    [Fact]
    public void A_run_leads_to_its_trace_and_its_logs_where_the_settings_say_where_those_are()
    {
        var options = new TelemetryOptions { TraceUrl = "http://traces.example/{traceId}", LogsUrl = "https://logs.example/?run={runId}" };

        var links = TelemetryLinks.Of(options, JobTelemetry.TraceIdOf(TraceParent), RunId);

        Assert.Equal("http://traces.example/0af7651916cd43dd8448eb211c80319c", links.Trace);
        Assert.Equal("https://logs.example/?run=6f1c1f6e-3a55-4f8e-9d2b-2f6d0c9f1a01", links.Logs);
    }

    [Fact]
    public void Without_settings_or_without_a_trace_there_is_no_link() =>
        Assert.Equal(
            (new TelemetryLinks(null, null), new TelemetryLinks(null, null)),
            (
                TelemetryLinks.Of(new TelemetryOptions(), "0af7651916cd43dd8448eb211c80319c", RunId),
                TelemetryLinks.Of(new TelemetryOptions { TraceUrl = "http://a/{traceId}" }, JobTelemetry.TraceIdOf(null), RunId)
            )
        );

    [Theory]
    [InlineData("grafana.example/{traceId}")]
    [InlineData("javascript:alert({traceId})")]
    public void An_address_that_no_browser_should_follow_is_refused(string template) =>
        Assert.Contains(
            template,
            Assert.Single(new TelemetryOptions { TraceUrl = template }.Validate(new ValidationContext(this))).ErrorMessage,
            StringComparison.Ordinal
        );
}
