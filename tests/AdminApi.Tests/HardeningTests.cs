using System.Net;
using Distributed.Catalog;
using Distributed.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

public sealed class HardeningTests
{
    [Theory]
    [InlineData("/api/v1/runs", HttpStatusCode.OK)]
    [InlineData("/api/v1/runs?limit=0", HttpStatusCode.BadRequest)]
    [InlineData("/nowhere", HttpStatusCode.NotFound)]
    [InlineData("/health/live", HttpStatusCode.OK)]
    [InlineData("/docs", HttpStatusCode.OK)]
    public async Task Every_answer_tells_browsers_to_do_no_more_than_show_it(string path, HttpStatusCode status)
    {
        await using var server = await AdminServer.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("Origin", server.Client.BaseAddress!.GetLeftPart(UriPartial.Authority));

        using var response = await server.Client.SendAsync(request);

        Assert.Equal(status, response.StatusCode);
        Assert.Equal("nosniff", Header(response, "X-Content-Type-Options"));
        Assert.Equal("no-referrer", Header(response, "Referrer-Policy"));
        Assert.Contains("default-src 'none'", Header(response, "Content-Security-Policy"), StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", Header(response, "Content-Security-Policy"), StringComparison.Ordinal);
        Assert.False(response.Headers.Contains("Server"));
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
        // Without TLS it would lock people out.
        Assert.False(response.Headers.Contains("Strict-Transport-Security"));
    }

    [Fact]
    public async Task A_page_from_elsewhere_gets_no_leave_to_ask()
    {
        await using var server = await AdminServer.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Options, "/api/v1/runs");
        request.Headers.Add("Origin", "http://attacker.example");
        request.Headers.Add("Access-Control-Request-Method", "POST");
        request.Headers.Add("Access-Control-Request-Headers", "content-type");

        using var response = await server.Client.SendAsync(request);

        Assert.DoesNotContain(response.Headers, header => header.Key.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_report_runs_no_script_and_loads_nothing()
    {
        await using var server = await AdminServer.StartAsync();
        var runId = await server.SubmitAsync();
        var volume = server.Services.GetRequiredService<Volume>();
        var file = await volume.WriteAsync(
            $"runs/{runId:D}/report.html",
            (stream, token) => stream.WriteAsync("<html><script>alert(1)</script></html>"u8.ToArray(), token).AsTask()
        );
        await server.AddAsync(Evaluation(runId, file));

        using var response = await server.Client.GetAsync($"/api/v1/runs/{runId:D}/report");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var policy = Header(response, "Content-Security-Policy").Split("; ");
        Assert.Contains("default-src 'none'", policy);
        Assert.Contains("sandbox", policy);
        Assert.DoesNotContain(policy, directive => directive.StartsWith("script-src", StringComparison.Ordinal));
        Assert.Equal("nosniff", Header(response, "X-Content-Type-Options"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_report_is_read_from_the_volume_alone_whatever_the_catalog_says(bool absolute)
    {
        await using var server = await AdminServer.StartAsync();
        var runId = await server.SubmitAsync();
        // A file beside the volume whose name begins with the volume's.
        var outside = server.Directory + "-outside.html";
        await File.WriteAllTextAsync(outside, "secret");
        var path = absolute ? outside : $"../{Path.GetFileName(outside)}";
        await server.AddAsync(
            Evaluation(runId, new StoredFile(path, 6, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("secret"u8))))
        );

        using var response = await server.Client.GetAsync($"/api/v1/runs/{runId:D}/report");
        File.Delete(outside);

        Assert.DoesNotContain("secret", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
    }

    [Fact]
    public async Task Who_asks_too_often_is_told_when_to_come_again()
    {
        await using var server = await AdminServer.StartAsync(settings: [("Api:RequestsPerSecond", "1")]);
        var refused = 0;
        for (var request = 0; request < 40; request++)
        {
            using var response = await server.Client.GetAsync("/api/v1/runs");
            if (response.StatusCode == HttpStatusCode.TooManyRequests)
            {
                refused++;
                await AdminServer.ProblemAsync(response, HttpStatusCode.TooManyRequests);
                Assert.InRange(response.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
            }
            else
            {
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                Assert.Equal(0, refused);
            }
        }

        // Twenty seconds' worth, and what came in by the second while we asked.
        Assert.InRange(refused, 1, 20);
    }

    [Fact]
    public async Task Who_has_no_key_is_held_back_much_earlier_and_whoever_has_one_is_not_held_back_with_him()
    {
        await using var server = await AdminServer.StartAsync(settings: [("Api:AnonymousRequestsPerSecond", "1")]);
        var statuses = new List<HttpStatusCode>();
        for (var request = 0; request < 40; request++)
        {
            using var guess = new HttpRequestMessage(HttpMethod.Get, "/api/v1/runs")
            {
                Headers = { { "Authorization", $"Bearer dstk_{request:x16}_{new string('0', 64)}" } },
            };
            using var response = await server.Client.SendAsync(guess);
            statuses.Add(response.StatusCode);
        }

        Assert.Equal(HttpStatusCode.Unauthorized, statuses[0]);
        Assert.Equal(HttpStatusCode.TooManyRequests, statuses[^1]);
        using var other = await server.Client.GetAsync("/api/v1/runs");
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
        using var live = await server.Client.GetAsync("/health/live");
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
    }

    [Fact]
    public async Task One_operator_may_ask_twelve_thousand_times_at_once()
    {
        await using var server = await AdminServer.StartAsync();

        await Parallel.ForAsync(
            0,
            12_000,
            new ParallelOptions { MaxDegreeOfParallelism = 8 },
            async (_, token) =>
            {
                // Without the slash it is sent on, and so asks twice.
                using var response = await server.Client.GetAsync("/docs/", HttpCompletionOption.ResponseHeadersRead, token);
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            }
        );
    }

    [Fact]
    public async Task A_body_larger_than_any_specification_is_refused()
    {
        await using var server = await AdminServer.StartAsync();

        using var response = await server.PostAsync($$"""{"name":"{{new string('x', 70_000)}}"}""");

        await AdminServer.ProblemAsync(response, HttpStatusCode.RequestEntityTooLarge);
    }

    private static string Header(HttpResponseMessage response, string name) => response.Headers.GetValues(name).Single();

    private static Evaluation Evaluation(Guid runId, StoredFile report) =>
        new()
        {
            RunId = runId,
            DatasetSha256 = "d",
            Trial = 0,
            TestImages = 1,
            TestAccuracy = 1,
            TestAccuracyLow = 0,
            TestAccuracyHigh = 1,
            TestLoss = 0,
            TopK = 1,
            TopKAccuracy = 1,
            MacroF1 = 1,
            ConfusionMatrix = "[[1]]",
            Temperature = 1,
            CalibrationError = 0,
            UncalibratedError = 0,
            Reliability = "[]",
            LeakedTestImages = 0,
            UnleakedAccuracy = null,
            UnleakedAccuracyLow = null,
            UnleakedAccuracyHigh = null,
            AuditKey = "audit",
            Predictions = new StoredFile("runs/predictions.json", 1, "00"),
            HeadSha256 = "",
            Report = report,
            CreatedAt = DateTime.UtcNow,
        };
}
