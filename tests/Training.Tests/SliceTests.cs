using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Pipeline;
using Distributed.ServiceTests;
using Distributed.Vision.Heads;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using static Distributed.Training.Tests.TrainingServices;

namespace Distributed.Training.Tests;

public sealed class SliceTests
{
    [Theory]
    [InlineData(HeadKind.Linear)]
    [InlineData(HeadKind.Mlp)]
    public async Task A_slice_a_batch_gives_the_same_head_bit_by_bit_as_one_long_slice(HeadKind kind)
    {
        await using var whole = await StartAsync(("Training:Slice", "00:05:00"));
        await using var sliced = await StartAsync(("Training:Slice", "00:00:00"));

        var (wholeRun, wholeEpochs) = await TrainAsync(whole);
        var (slicedRun, slicedEpochs) = await TrainAsync(sliced);

        Assert.Equal(await whole.HeadAsync(wholeRun), await sliced.HeadAsync(slicedRun));
        Assert.Equal(wholeEpochs, slicedEpochs);
        Assert.Equal(3, wholeEpochs.Count);
        Assert.Single(await whole.CheckpointsAsync(wholeRun, CheckpointKind.Last));

        // Four batches an epoch: a slice for each, and each hands on to exactly one.
        var slices = await sliced.CheckpointsAsync(slicedRun, CheckpointKind.Last);
        Assert.InRange(slices.Count, 12, 16);
        Assert.Equal(Enumerable.Range(0, slices.Count), slices.Select(slice => slice.Slice));
        Assert.Equal(slices.Count, await sliced.CountStartsAsync(nameof(TrainHead)));

        async Task<(Run Run, List<string> Epochs)> TrainAsync(ServiceHarness services)
        {
            var specification = Specify(services) with
            {
                InputSize = 32,
                Seed = 3,
                Head = new HeadSpecification { Kind = kind, HiddenSizes = [32, 16] },
            };
            var run = await services.TrainAsync(specification);
            var epochs = await services.QueryAsync(context =>
                context.EpochMetrics.AsNoTracking().Where(epoch => epoch.RunId == run.Id).OrderBy(epoch => epoch.Epoch).ToListAsync()
            );
            return (
                run,
                [
                    .. epochs.Select(epoch =>
                        $"{epoch.Epoch} {epoch.TrainLoss:R} {epoch.TrainAccuracy:R} {epoch.ValidationLoss:R} {epoch.ValidationAccuracy:R}"
                    ),
                ]
            );
        }
    }

    [Fact]
    public async Task A_slice_a_penalty_gives_the_same_head_bit_by_bit_as_one_long_slice()
    {
        await using var whole = await StartAsync(("Training:Slice", "00:05:00"));
        await using var sliced = await StartAsync(("Training:Slice", "00:00:00"));
        double[] penalties = [1, 0.1, 0.01, 1e-3];

        var wholeRun = await whole.TrainAsync(
            Specify(whole) with
            {
                InputSize = 32,
                Training = new TrainingSpecification { Penalties = penalties },
            }
        );
        var slicedRun = await sliced.TrainAsync(
            Specify(sliced) with
            {
                InputSize = 32,
                Training = new TrainingSpecification { Penalties = penalties },
            }
        );

        Assert.Equal(await whole.HeadAsync(wholeRun), await sliced.HeadAsync(slicedRun));
        Assert.Single(await whole.CheckpointsAsync(wholeRun, CheckpointKind.Last));
        // A slice for each penalty, and one for the refit.
        Assert.Equal(Enumerable.Range(0, 5), (await sliced.CheckpointsAsync(slicedRun, CheckpointKind.Last)).Select(slice => slice.Slice));
        foreach (var (services, run) in new[] { (whole, wholeRun), (sliced, slicedRun) })
        {
            var steps = await services.QueryAsync(context =>
                context.EpochMetrics.AsNoTracking().Where(step => step.RunId == run.Id).OrderBy(step => step.Epoch).ToListAsync()
            );
            Assert.Equal(penalties.Select(penalty => (double?)penalty), steps.Select(step => step.Penalty));
            Assert.All(steps, step => Assert.Equal(0, step.LearningRate));
        }
    }

    [Theory]
    [InlineData(HeadKind.Linear)]
    [InlineData(HeadKind.Mlp)]
    public async Task The_file_of_a_head_tells_what_it_is_for_and_nothing_of_the_run(HeadKind kind)
    {
        await using var services = await StartAsync();
        var specification = Specify(services) with
        {
            InputSize = 32,
            Head = new HeadSpecification { Kind = kind, HiddenSizes = [16] },
        };

        var run = await services.TrainAsync(specification);
        var again = await services.TrainAsync(specification with { Name = "again" });

        var file = (await services.CheckpointsAsync(run, CheckpointKind.Best))[^1].File;
        var bytes = await services.Volume.ReadAllBytesAsync(file);
        var origin = TrainedHead.Load(bytes).Origin!;
        var set = Assert.Single(await services.SetsAsync());
        Assert.Equal(3, origin.ClassNames.Count);
        Assert.Equal(origin.ClassNames.Order(StringComparer.Ordinal), origin.ClassNames);
        Assert.Equal(
            ("densenet121", set.BackboneSha256, set.Preprocessing, "fp32", run.DatasetSha256),
            (origin.Backbone, origin.BackboneSha256, origin.Preprocessing, origin.Precision, origin.DatasetSha256)
        );
        Assert.Contains("size=32;fit=crop", origin.Preprocessing);
        Assert.DoesNotContain($"{run.Id}", System.Text.Encoding.UTF8.GetString(bytes));
        Assert.Equal(file.Sha256, await services.HeadAsync(again));
    }

    [Fact]
    public async Task Penalties_that_nothing_can_choose_among_fail_the_run_and_the_default_is_one()
    {
        await using var services = await StartAsync();
        var specification = Specify(services) with
        {
            InputSize = 32,
            ValidationFraction = 0,
            Training = new TrainingSpecification { Penalties = [1, 0.1] },
        };

        Assert.Contains("training.penalties has 2 values", await services.FailAsync(specification));
        var run = await services.TrainAsync(specification with { Training = new TrainingSpecification() });
        Assert.Equal(
            0.01,
            Assert
                .Single(
                    await services.QueryAsync(context =>
                        context.EpochMetrics.AsNoTracking().Where(step => step.RunId == run.Id).ToListAsync()
                    )
                )
                .Penalty
        );
    }

    [Fact]
    public async Task A_cancelled_run_hands_on_to_no_further_slice()
    {
        await using var services = await StartAsync(("Training:Slice", "00:00:00"));
        var specification = Specify(services) with
        {
            InputSize = 32,
            Training = new TrainingSpecification
            {
                Optimizer = HeadOptimizer.Adam,
                Epochs = 10_000,
                Patience = 10_000,
            },
        };
        var run = await services.SubmitAsync(specification);
        await ServiceHarness.UntilAsync(async () => await services.CountStartsAsync(nameof(TrainHead)) >= 3);

        await services.Services.GetRequiredService<RunControl>().CancelAsync(run, AuditActor.Loopback, CancellationToken.None);

        // One worker takes the messages of slices one after the other: when another run is through, none of the first one is left.
        await services.TrainAsync(
            specification with
            {
                Training = new TrainingSpecification { Optimizer = HeadOptimizer.Adam, Epochs = 1 },
            }
        );
        var planned = await CountAsync();
        await services.TrainAsync(
            specification with
            {
                Training = new TrainingSpecification { Optimizer = HeadOptimizer.Adam, Epochs = 2 },
            }
        );
        Assert.Equal(planned, await CountAsync());
        Assert.Equal(RunState.Cancelled, (await services.FindAsync(run)).State);

        Task<int> CountAsync() => services.QueryAsync(context => context.Jobs.CountAsync(job => job.Scope == run.ToString()));
    }
}
