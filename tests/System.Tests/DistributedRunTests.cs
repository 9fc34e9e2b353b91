using System.Text;
using System.Text.Json;
using Distributed.TestServers;
using RabbitMQ.Client;

namespace Distributed.System.Tests;

public sealed class DistributedRunTests
{
    [Fact]
    public async Task A_run_is_the_same_in_one_process_and_over_all_hosts()
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);

        var runId = await cluster.SubmitAsync(SampleRun.Specification);
        var run = await cluster.WaitForCompletionAsync(runId);

        Assert.Contains("<html", await cluster.GetTextAsync($"/api/v1/runs/{runId}/report"), StringComparison.Ordinal);
        foreach (
            var (table, header) in new[]
            {
                ("predictions", "image,sha256,class,predicted,probability,class_probability"),
                ("labels", "rank,image,sha256,class,class_probability,suggested,suggested_probability"),
                ("near-duplicates", "test_image,test_class,training_image,training_class,feature_similarity,pixel_correlation"),
            }
        )
        {
            var text = await cluster.GetTextAsync($"/api/v1/runs/{runId}/{table}.csv");
            Assert.StartsWith(header + "\r\n", text, StringComparison.Ordinal);
            // Whether drawn pictures happen to be alike is not known; that each image has a line is.
            Assert.True(table == "near-duplicates" || text.Count(character => character == '\n') > 100, text);
        }

        await AssertOneProcessAgreesAsync(run);
        await AssertLogsTellAsync(cluster, runId);
    }

    [Fact]
    public async Task A_run_on_known_data_computes_no_feature_again()
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);
        await cluster.WaitForCompletionAsync(await cluster.SubmitAsync(new { precision = "fp32" }));
        var shards = await cluster.QueryAsync<long>(
            "select count(*) from attempts a join jobs u on u.id = a.job_id where u.kind = 'ExtractFeatures'"
        );

        object[] others = [new { training = new { learningRate = 0.01 } }, new { seed = 7 }, new { head = new { kind = "mlp" } }];
        foreach (var other in others)
        {
            var run = await cluster.WaitForCompletionAsync(await cluster.SubmitAsync(other));
            Assert.True(run.GetProperty("featureCacheHit").GetBoolean());
        }

        Assert.Equal(
            shards,
            await cluster.QueryAsync<long>(
                "select count(*) from attempts a join jobs u on u.id = a.job_id where u.kind = 'ExtractFeatures'"
            )
        );
    }

    [Fact]
    public async Task The_shipped_photos_are_a_data_set_by_their_word()
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);

        var run = await cluster.WaitForCompletionAsync(
            await cluster.SubmitAsync(
                new
                {
                    dataset = "clothing",
                    inputSize = 32,
                    precision = "fp32",
                }
            )
        );

        var input = run.GetProperty("input");
        Assert.Equal(
            ("clothing", 500, 10),
            (input.GetProperty("name").GetString(), input.GetProperty("images").GetInt32(), input.GetProperty("classes").GetInt32())
        );
        Assert.Equal(
            (380, 120),
            (input.GetProperty("splits").GetProperty("train").GetInt32(), input.GetProperty("splits").GetProperty("test").GetInt32())
        );
    }

    [Fact]
    public async Task An_onnx_file_reaches_every_worker_by_the_volume()
    {
        var folder = Directory.CreateTempSubdirectory("onnx-base-");
        try
        {
            foreach (var name in (string[])["external.onnx", "external.onnx_data"])
            {
                File.Copy(Path.Combine(AppContext.BaseDirectory, "Golden", "onnx", name), Path.Combine(folder.FullName, name));
            }

            var settings = new Dictionary<string, string?>(SampleRun.Settings) { ["Data__Roots__1"] = folder.FullName };
            await using var cluster = await Cluster.StartAsync(settings);
            var specification = new
            {
                backbone = Path.Combine(folder.FullName, "external.onnx"),
                inputSize = 32,
                pixelMean = new[] { 0.5, 0.5, 0.5 },
                pixelStd = new[] { 0.5, 0.5, 0.5 },
            };

            var run = await cluster.WaitForCompletionAsync(await cluster.SubmitAsync(specification));

            Assert.StartsWith("ONNX, external.onnx", run.GetProperty("summary").GetProperty("backbone").GetString());
            var copies = Directory.GetFiles(Path.Combine(cluster.Volume, "backbones"), "*.onnx");
            Assert.True(new FileInfo(Assert.Single(copies)).Length > new FileInfo(specification.backbone).Length);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Plain_JSON_from_any_language_submits_a_run_once_and_its_event_comes_back()
    {
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);
        var runId = Guid.NewGuid();
        await using var connection = await new ConnectionFactory { Uri = cluster.Broker.Uri }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.ExchangeDeclareAsync("Distributed.Contracts:RunEvaluated", ExchangeType.Fanout, durable: true);
        var events = (await channel.QueueDeclareAsync()).QueueName;
        await channel.QueueBindAsync(events, "Distributed.Contracts:RunEvaluated", "");

        var body = Encoding.UTF8.GetBytes($$$"""{"runId":"{{{runId}}}","specification":{"name":"by message","precision":"fp32"}}""");
        await channel.BasicPublishAsync("submit-run", "", mandatory: true, body);
        await channel.BasicPublishAsync("submit-run", "", mandatory: true, body);

        var run = await cluster.WaitForCompletionAsync(runId);
        var announced = await cluster.WaitAsync(
            "the event",
            async () => await channel.BasicGetAsync(events, autoAck: true),
            found => found is not null
        );
        var message = JsonDocument.Parse(announced!.Body).RootElement.GetProperty("message");
        Assert.Equal(runId, message.GetProperty("runId").GetGuid());
        Assert.Equal(run.GetProperty("summary").GetProperty("testAccuracy").GetDouble(), message.GetProperty("testAccuracy").GetDouble());
        Assert.Equal(1, await cluster.QueryAsync<long>("select count(*) from runs"));
    }

    [Fact]
    public async Task The_Python_example_submits_a_run_and_prints_its_accuracy()
    {
        const string python = "/usr/bin/python3";
        Assert.SkipUnless(File.Exists(python) && await HasPikaAsync(python), "python3-pika is not installed.");
        await using var cluster = await Cluster.StartAsync(SampleRun.Settings);

        await using var example = HostProcess.Start(
            python,
            [
                Path.Combine(TestEnvironment.RepositoryRoot, "infra", "examples", "submit_run.py"),
                """{"name":"from Python","precision":"fp32"}""",
            ],
            new Dictionary<string, string?> { ["RABBITMQ_URL"] = cluster.Broker.Uri.ToString() }
        );

        Assert.Equal(0, await example.WaitForExitAsync(TimeSpan.FromMinutes(3)));
        var accuracy = await cluster.QueryAsync<double>("select test_accuracy from evaluations");
        Assert.Contains(example.Lines, line => line.Contains($"test accuracy {100 * accuracy:F1}%", StringComparison.Ordinal));
    }

    private static async Task<bool> HasPikaAsync(string python)
    {
        await using var probe = HostProcess.Start(python, ["-c", "import pika"]);
        return await probe.WaitForExitAsync() == 0;
    }

    /// <summary>A handful of lines over all hosts, each with run and trace, and nothing to worry about.</summary>
    private static async Task AssertLogsTellAsync(Cluster cluster, Guid runId)
    {
        var trace = (await cluster.QueryAsync<string>($"select trace_parent from runs where id = '{runId}'")).Split('-')[1];
        await cluster.WaitAsync(
            "the run's lines in the logs of all hosts",
            () =>
                Task.FromResult(
                    string.Join(
                        '\n',
                        cluster
                            .Lines.Where(line => line.EndsWith($" run={runId} trace={trace}", StringComparison.Ordinal))
                            .Order(StringComparer.Ordinal)
                            .Select(line => string.Join(' ', line.Split(": ", 2)[1].Split(' ')[..2]))
                    )
                ),
            told => told == "Run accepted:\nData set\nFeatures ready:\nHead trained\nRun completed:"
        );
        Assert.DoesNotContain(
            cluster.Lines,
            line => line.Contains($"run={runId}", StringComparison.Ordinal) && !line.Contains(" info ", StringComparison.Ordinal)
        );
    }

    private static async Task AssertOneProcessAgreesAsync(JsonElement run)
    {
        var volume = Directory.CreateTempSubdirectory("distributed-standalone-");
        try
        {
            await using var process = HostProcess.StartService(
                TestEnvironment.ServiceDll("Standalone"),
                [
                    "run",
                    "--volume",
                    volume.FullName,
                    "--json",
                    "--precision",
                    "fp32",
                    "--head",
                    "mlp",
                    "--hidden-sizes",
                    "512",
                    "--epochs",
                    "120",
                    "--patience",
                    "120",
                ],
                SampleRun.Settings
            );
            Assert.True(await process.WaitForExitAsync(TimeSpan.FromMinutes(3)) == 0, string.Join('\n', process.Lines));
            var result = JsonDocument.Parse(process.Lines.Last(line => line.StartsWith('{'))).RootElement;
            Assert.Equal(run.GetProperty("headSha256").GetString(), result.GetProperty("headSha256").GetString());
            Assert.Equal(
                run.GetProperty("summary").GetProperty("testAccuracy").GetDouble(),
                result.GetProperty("testAccuracy").GetDouble()
            );
        }
        finally
        {
            volume.Delete(recursive: true);
        }
    }
}
