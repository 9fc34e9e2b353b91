using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.ServiceTests;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using static Distributed.Training.Tests.TrainingServices;

namespace Distributed.Training.Tests;

public sealed class SliceTests
{
    [Theory]
    [InlineData(HeadType.Linear)]
    [InlineData(HeadType.Mlp)]
    public async Task A_slice_a_batch_gives_the_same_head_bit_by_bit_as_one_long_slice(HeadType kind)
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
        Assert.Equal(slices.Count, await sliced.CountStartsAsync(UnitKind.TrainHead));

        async Task<(Run Run, List<string> Epochs)> TrainAsync(ServiceHarness services)
        {
            var specification = Specify(services) with { InputSize = 32, Seed = 3, Head = new HeadSpecification { Kind = kind, HiddenSizes = [32, 16] } };
            var run = await services.TrainAsync(specification);
            var epochs = await services.QueryAsync(context => context.EpochMetrics.AsNoTracking().Where(epoch => epoch.RunId == run.Id).OrderBy(epoch => epoch.Epoch).ToListAsync());
            return (run, [.. epochs.Select(epoch => $"{epoch.Epoch} {epoch.TrainLoss:R} {epoch.TrainAccuracy:R} {epoch.ValidationLoss:R} {epoch.ValidationAccuracy:R}")]);
        }
    }

    [Fact]
    public async Task A_cancelled_run_hands_on_to_no_further_slice()
    {
        await using var services = await StartAsync(("Training:Slice", "00:00:00"));
        var specification = Specify(services) with { InputSize = 32, Training = new TrainingSpecification { Epochs = 10_000, Patience = 10_000 } };
        var run = await services.SubmitAsync(specification);
        await ServiceHarness.UntilAsync(async () => await services.CountStartsAsync(UnitKind.TrainHead) >= 3);

        await services.Services.GetRequiredService<RunFlow>().CancelAsync(run, CancellationToken.None);

        // One worker takes the messages of slices one after the other: when another run is through, none of the first one is left.
        await services.TrainAsync(specification with { Training = new TrainingSpecification { Epochs = 1 } });
        var planned = await CountAsync();
        await services.TrainAsync(specification with { Training = new TrainingSpecification { Epochs = 2 } });
        Assert.Equal(planned, await CountAsync());
        Assert.Equal(RunState.Cancelled, (await services.FindAsync(run)).State);

        Task<int> CountAsync() => services.QueryAsync(context => context.WorkUnits.CountAsync(unit => unit.Subject == run.ToString()));
    }
}
