using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Ingestion;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Pipeline;
using Distributed.ServiceTests;
using Distributed.Storage;
using Distributed.Training;
using Distributed.Vision.Engines;
using Distributed.Vision.Weights;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Evaluation.Tests;

/// <summary>A byte of a stored file is flipped under a run, and the result is that of a run that nobody disturbed.</summary>
public sealed class DamageTests : IAsyncLifetime
{
    private ServiceHarness _services = null!;
    private RunSpecification _specification = null!;

    public async ValueTask InitializeAsync()
    {
        _services = await ServiceHarness.StartAsync(
            (builder, consumers) =>
            {
                builder.AddIngestion(consumers);
                builder.AddTraining(consumers);
                builder.AddEvaluation(consumers);
                builder.Services.AddSingleton<Gate>();
            },
            ("Training:Device", "cpu"),
            ("Training:Threads", "1"),
            ("Training:ShardImages", "32"),
            ("Training:Slice", "00:00:00"),
            ("Ingestion:MostImagesAPart", "40")
        );
        _services.Services.GetRequiredService<IBusControl>().ConnectConsumeObserver(_services.Services.GetRequiredService<Gate>());
        _specification = new RunSpecification
        {
            Dataset = _services.WritePictures("pets", classes: 3, imagesAClass: 30),
            Backbone = _services.WriteFile("weights.safetensors", Pad(await File.ReadAllBytesAsync(BackboneSource.DemoPath))),
            InputSize = 48,
            Precision = Precision.Fp32,
            TopK = 2,
            Training = new TrainingSpecification
            {
                Epochs = 3,
                BatchSize = 16,
                Optimizer = HeadOptimizer.Adam,
            },
        };
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    public static TheoryData<string, string, string> Files =>
        new()
        {
            // The file, the job that is about to read it, the job that makes it again.
            { "file-index", nameof(PackImages), nameof(IngestDataset) },
            { "records", nameof(CompleteDataset), nameof(PackImages) },
            { "manifest", nameof(PlanFeatures), nameof(CompleteDataset) },
            { "pixels", nameof(ExtractFeatures), nameof(PackImages) },
            { "backbone", nameof(ExtractFeatures), nameof(PlanFeatures) },
            { "split", nameof(TrainHead), nameof(PlanFeatures) },
            { "shard", nameof(TrainHead), nameof(ExtractFeatures) },
            { "shards", nameof(EvaluateHead), nameof(ExtractFeatures) },
            { "last", nameof(TrainHead), nameof(TrainHead) },
            { "best", nameof(EvaluateHead), nameof(TrainHead) },
        };

    [Theory]
    [MemberData(nameof(Files))]
    public async Task A_damaged_file_is_made_again_and_the_result_is_that_of_an_undisturbed_run(string file, string reader, string maker)
    {
        List<StoredFile> damaged = [];
        var gate = _services.Services.GetRequiredService<Gate>();
        gate.Before(
            reader,
            afterStarts: file == "last" ? 3 : 0,
            async () =>
            {
                damaged = await FindAsync(file);
                Assert.NotEmpty(damaged);
                damaged.ForEach(Flip);
            }
        );

        var run = await _services.RunAsync(_specification, RunState.Completed);

        Assert.NotEmpty(damaged);
        var (accuracy, head) = await ResultAsync(run);
        await using var undisturbed = new DamageTests();
        await undisturbed.InitializeAsync();
        var twin = await undisturbed._services.RunAsync(
            _specification with
            {
                Dataset = undisturbed._specification.Dataset,
                Backbone = undisturbed._specification.Backbone,
            },
            RunState.Completed
        );
        Assert.Equal(await undisturbed.ResultAsync(twin), (accuracy, head));

        // What was damaged is named by no row any more, what is named is whole, and the attempts tell why.
        var now = await AllAsync();
        Assert.DoesNotContain(now, stored => damaged.Any(old => old.Path == stored.Path));
        foreach (var stored in now)
        {
            await _services.Volume.ReadAllBytesAsync(stored);
        }

        var reasons = await _services.QueryAsync(context =>
            context
                .Attempts.Where(attempt =>
                    attempt.Outcome == AttemptOutcome.Blocked && context.Jobs.Any(job => job.Id == attempt.JobId && job.Kind == reader)
                )
                .Select(attempt => attempt.Error!)
                .ToListAsync()
        );
        Assert.Contains(reasons, reason => damaged.Any(old => reason.Contains($"'{old.Path}'", StringComparison.Ordinal)));
        Assert.True(await _services.CountStartsAsync(maker) > await undisturbed._services.CountStartsAsync(maker));
        Assert.Equal(0, await _services.QueryAsync(context => context.Jobs.CountAsync(job => job.State != JobState.Done)));
    }

    [Fact]
    public async Task A_shard_of_another_runs_features_that_is_missing_is_computed_again()
    {
        var first = await _services.RunAsync(_specification, RunState.Completed);
        File.Delete(_services.Volume.FullPath((await FindAsync("shard"))[0].Path));

        var second = await _services.RunAsync(_specification with { Name = "second" }, RunState.Completed);

        Assert.Equal(await ResultAsync(first), await ResultAsync(second));
        Assert.True(second.FeatureCacheHit);
    }

    [Fact]
    public async Task A_copy_of_weights_that_was_whole_a_moment_ago_and_is_damaged_now_is_made_again()
    {
        await _services.RunAsync(_specification, RunState.Completed);
        StoredFile? damaged = null;
        _services
            .Services.GetRequiredService<Gate>()
            .Before(nameof(ExtractFeatures), afterStarts: 0, async () => Flip(damaged = (await FindAsync("backbone"))[0]));

        await _services.RunAsync(_specification with { Name = "second", InputSize = 32 }, RunState.Completed);

        var now = (await FindAsync("backbone"))[0];
        Assert.NotEqual(damaged!.Path, now.Path);
        await _services.Volume.ReadAllBytesAsync(now);
    }

    [Fact]
    public async Task A_part_whose_images_have_changed_since_fails_the_run_by_name()
    {
        StoredFile? part = null;
        var gate = _services.Services.GetRequiredService<Gate>();
        gate.Before(
            nameof(ExtractFeatures),
            afterStarts: 0,
            async () =>
            {
                Flip(part = (await FindAsync("pixels"))[0]);
                _services.WriteFile("pets/class0/000.png", ServiceHarness.Picture(1, 500));
            }
        );

        var reason = await _services.FailAsync(_specification);

        Assert.Contains($"'{part!.Path}'", reason);
        Assert.Contains("have changed since", reason);
    }

    [Fact]
    public async Task A_copy_of_weights_whose_source_is_gone_fails_the_run_by_name()
    {
        var gate = _services.Services.GetRequiredService<Gate>();
        gate.Before(
            nameof(ExtractFeatures),
            afterStarts: 0,
            async () =>
            {
                (await FindAsync("backbone")).ForEach(Flip);
                File.Delete(_specification.Backbone);
            }
        );

        Assert.Contains($"'{_specification.Backbone}' does not exist", await _services.FailAsync(_specification));
    }

    [Fact]
    public async Task A_file_that_is_damaged_each_time_it_is_made_fails_the_run_after_five_times_by_name()
    {
        var gate = _services.Services.GetRequiredService<Gate>();
        gate.BeforeEach(nameof(TrainHead), async () => (await FindAsync("shard")).ForEach(Flip));

        var reason = await _services.FailAsync(_specification);

        Assert.Contains("shard-00000", reason);
        Assert.Contains("is damaged", reason);
        Assert.Equal(
            new JobOptions().MaxAttempts,
            await _services.QueryAsync(context =>
                context.Attempts.CountAsync(attempt =>
                    attempt.Outcome == AttemptOutcome.Done
                    && context.Jobs.Any(job => job.Id == attempt.JobId && job.Kind == nameof(ExtractFeatures) && job.Step == 0)
                )
            )
        );
    }

    private async Task<(double Accuracy, string Head)> ResultAsync(Run run)
    {
        var evaluation = await _services.QueryAsync(context => context.Evaluations.AsNoTracking().SingleAsync(row => row.RunId == run.Id));
        return (evaluation.TestAccuracy, evaluation.HeadSha256);
    }

    private Task<List<StoredFile>> FindAsync(string file) =>
        _services.QueryAsync<List<StoredFile>>(async context =>
            file switch
            {
                "file-index" => [(await context.Ingestions.AsNoTracking().SingleAsync()).FileIndex],
                "records" => [(await context.PackedParts.AsNoTracking().OrderBy(part => part.Part).LastAsync()).Records],
                "pixels" => [(await context.PackedParts.AsNoTracking().OrderBy(part => part.Part).FirstAsync()).Pixels],
                "manifest" => [(await context.Datasets.AsNoTracking().SingleAsync()).Manifest],
                "backbone" => [(await context.Backbones.AsNoTracking().SingleAsync()).File!],
                "split" => [(await context.Runs.AsNoTracking().SingleAsync()).Split!],
                "shard" => [(await context.FeatureShards.AsNoTracking().OrderBy(shard => shard.Shard).FirstAsync()).File],
                "shards" => [.. (await context.FeatureShards.AsNoTracking().ToListAsync()).Select(shard => shard.File)],
                "last" => [(await CheckpointsAsync(context, CheckpointKind.Last))[^1]],
                "best" => [(await CheckpointsAsync(context, CheckpointKind.Best))[^1]],
                _ => throw new ArgumentOutOfRangeException(nameof(file)),
            }
        );

    private Task<List<StoredFile>> AllAsync() =>
        _services.QueryAsync(async context =>
            (List<StoredFile>)
                [
                    .. (await context.Ingestions.AsNoTracking().ToListAsync()).Select(row => row.FileIndex),
                    .. (await context.PackedParts.AsNoTracking().ToListAsync()).SelectMany(row => new[] { row.Pixels, row.Records }),
                    .. (await context.Datasets.AsNoTracking().ToListAsync()).Select(row => row.Manifest),
                    .. (await context.Backbones.AsNoTracking().ToListAsync()).Select(row => row.File!),
                    .. (await context.Runs.AsNoTracking().ToListAsync()).Select(row => row.Split!),
                    .. (await context.FeatureShards.AsNoTracking().ToListAsync()).Select(row => row.File),
                    .. await CheckpointsAsync(context, CheckpointKind.Last),
                    .. await CheckpointsAsync(context, CheckpointKind.Best),
                ]
        );

    private static async Task<List<StoredFile>> CheckpointsAsync(CatalogContext context, CheckpointKind kind) =>
        [
            .. (await context.Checkpoints.AsNoTracking().Where(row => row.Kind == kind).OrderBy(row => row.Slice).ToListAsync()).Select(
                row => row.File
            ),
        ];

    /// <summary>As a disk does it: one bit, and the time stamp stays.</summary>
    private void Flip(StoredFile file)
    {
        var path = _services.Volume.FullPath(file.Path);
        var written = File.GetLastWriteTimeUtc(path);
        var bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(path, bytes);
        File.SetLastWriteTimeUtc(path, written);
    }

    /// <summary>The same tensors in other bytes, so that they are not the shipped ones: the header may end in spaces.</summary>
    private static byte[] Pad(byte[] safetensors)
    {
        const int Spaces = 8;
        var headerLength = BitConverter.ToInt64(safetensors);
        return
        [
            .. BitConverter.GetBytes(headerLength + Spaces),
            .. safetensors.AsSpan(8, (int)headerLength),
            .. Enumerable.Repeat((byte)' ', Spaces),
            .. safetensors.AsSpan(8 + (int)headerLength),
        ];
    }

    /// <summary>Does something before messages of a kind are handled.</summary>
    private sealed class Gate : IConsumeObserver
    {
        private readonly Lock _lock = new();
        private (string Kind, int After, bool Once, Func<Task> Action)? _wanted;
        private int _seen;

        public void Before(string kind, int afterStarts, Func<Task> action) => _wanted = (kind, afterStarts, true, action);

        public void BeforeEach(string kind, Func<Task> action) => _wanted = (kind, 0, false, action);

        public Task PreConsume<T>(ConsumeContext<T> context)
            where T : class
        {
            Func<Task> action;
            lock (_lock)
            {
                if (_wanted is not { } wanted || RunStages.All.For(wanted.Kind).MessageType != typeof(T) || _seen++ < wanted.After)
                {
                    return Task.CompletedTask;
                }

                action = wanted.Action;
                _wanted = wanted.Once ? null : wanted;
            }

            return action();
        }

        public Task PostConsume<T>(ConsumeContext<T> context)
            where T : class => Task.CompletedTask;

        public Task ConsumeFault<T>(ConsumeContext<T> context, Exception exception)
            where T : class => Task.CompletedTask;
    }
}
