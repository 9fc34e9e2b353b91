using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Distributed.AdminApi.Webhooks;
using Distributed.TestServers;

namespace Distributed.AdminApi.Tests;

/// <summary>What docs/api.md says about checking a signature does.</summary>
public sealed partial class WebhookExampleTests
{
    [Theory]
    [InlineData("", "genuine")]
    [InlineData(" ", "forged")]
    public async Task The_example_in_bash_tells_genuine_from_forged(string appended, string answer)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "bash and openssl are asked for");
        var folder = Directory.CreateTempSubdirectory("webhook-");
        try
        {
            var (secret, id, timestamp, body) = (
                WebhookSignature.CreateSecret(),
                $"{Guid.CreateVersion7():D}",
                1_790_000_000L,
                """{"event":"completed","name":"Größe"}"""
            );
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "body.json"), body + appended);
            var start = new ProcessStartInfo("bash", ["-c", Example("bash", "SECRET, ID, TIMESTAMP")])
            {
                WorkingDirectory = folder.FullName,
                UseShellExecute = false,
                RedirectStandardOutput = true,
                Environment =
                {
                    ["SECRET"] = WebhookSignature.Reveal(secret),
                    ["ID"] = id,
                    ["TIMESTAMP"] = timestamp.ToString(CultureInfo.InvariantCulture),
                    ["SIGNATURES"] = WebhookSignature.Sign(secret, id, timestamp, body),
                },
            };

            using var process = Process.Start(start)!;

            Assert.Equal(answer, (await process.StandardOutput.ReadToEndAsync()).Trim());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void The_example_in_csharp_is_the_one_that_these_tests_check_with()
    {
        // The text stands here, too, as code that compiles; both are the same but for spaces.
        var code = File.ReadAllText(Path.Combine(Root(), "tests", "AdminApi.Tests", "WebhookExample.cs"));

        Assert.Contains(
            Spaces().Replace(Example("csharp", "static bool IsGenuine"), ""),
            Spaces().Replace(code, ""),
            StringComparison.Ordinal
        );
        var (secret, id, now) = (WebhookSignature.CreateSecret(), $"{Guid.CreateVersion7():D}", DateTimeOffset.UtcNow.ToUnixTimeSeconds());
        foreach (
            var (timestamp, body, expected) in ((long, string, bool)[])[(now, "{}", true), (now, "{} ", false), (now - 400, "{}", false)]
        )
        {
            var signature = WebhookSignature.Sign(secret, id, timestamp, "{}");
            Assert.Equal(
                expected,
                WebhookExample.IsGenuine(
                    WebhookSignature.Reveal(secret),
                    id,
                    timestamp.ToString(CultureInfo.InvariantCulture),
                    $"v1a,x {signature}",
                    body
                )
            );
        }
    }

    [Fact]
    public void A_signature_is_that_of_standard_webhooks()
    {
        // The example of the specification, and of its libraries' tests.
        var signature = WebhookSignature.Sign(
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            """{"test": 2432232314}"""
        );

        Assert.Equal("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", signature);
    }

    private static string Example(string language, string beginning)
    {
        var page = File.ReadAllText(Path.Combine(Root(), "docs", "api.md"));
        return Regex
            .Matches(
                page,
                $"```{language}\n(?<code>.*?)```",
                RegexOptions.Singleline | RegexOptions.ExplicitCapture,
                TimeSpan.FromSeconds(5)
            )
            .Select(match => match.Groups["code"].Value)
            .Single(code => code.Contains(beginning, StringComparison.Ordinal));
    }

    private static string Root() => TestEnvironment.RepositoryRoot;

    [GeneratedRegex(@"\s+", RegexOptions.None, 1000)]
    private static partial Regex Spaces();
}
