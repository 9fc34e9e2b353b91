using System.Text;
using System.Xml.Linq;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.ServiceTests;
using Microsoft.EntityFrameworkCore;
using static Distributed.Training.Tests.TrainingServices;

namespace Distributed.Training.Tests;

public sealed class ComparisonTests : IAsyncLifetime
{
    private static readonly CandidateBase[] _candidates = [new("demo", 32), new("mlnet-resnet18", 64)];

    private ServiceHarness _services = null!;

    public async ValueTask InitializeAsync() => _services = await StartAsync();

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    [Fact]
    public async Task A_run_that_compares_bases_ends_with_a_table_and_a_picture_and_reads_no_test_image()
    {
        var run = await CompareAsync(Specify(_services) with { Kind = RunKind.Compare, CompareSeconds = 600 }, RunState.Completed);

        var bases = await BasesAsync(run);
        Assert.Equal(["demo", "mlnet-resnet18"], bases.Select(row => row.Backbone));
        Assert.All(bases, row => Assert.InRange(row.Accuracy!.Value, row.AccuracyLow!.Value, row.AccuracyHigh!.Value));
        Assert.Equal([1024, 512], bases.Select(row => row.FeatureSize));
        Assert.Equal(["Apache-2.0", "unknown"], bases.Select(row => row.Licence == "unknown" ? "unknown" : "Apache-2.0"));
        var comparison = await _services.QueryAsync(context => context.Comparisons.AsNoTracking().SingleAsync());
        Assert.Equal(run.ChosenBackbone, comparison.Backbone);
        // A fifth of 72 is for testing, a tenth of the rest for validation.
        Assert.InRange(comparison.Images, 48, 54);
        var picture = XDocument.Parse(Encoding.UTF8.GetString(await _services.Volume.ReadAllBytesAsync(comparison.Picture)));
        Assert.Contains(picture.Descendants(), text => text.Value == "mlnet-resnet18");
        Assert.Null(run.FeatureSetKey);
        Assert.Equal((0, 0), (await _services.CountStartsAsync(nameof(PlanFeatures)), await _services.CountStartsAsync(nameof(TrainHead))));
    }

    [Fact]
    public async Task A_run_with_the_best_backbone_gives_the_features_of_a_run_that_names_it()
    {
        var specification = Specify(_services) with { Backbone = RunSpecification.Best, CompareSeconds = 600, InputSize = 64 };

        var run = await CompareAsync(specification, RunState.Evaluating);

        var chosen = _candidates.Single(candidate => candidate.Backbone == run.ChosenBackbone);
        var named = await _services.TrainAsync(specification with { Backbone = chosen.Backbone, InputSize = chosen.InputSize });
        Assert.Equal(named.FeatureSetKey, run.FeatureSetKey);
        Assert.Equal(await _services.HeadAsync(named), await _services.HeadAsync(run));
        Assert.Equal(chosen.InputSize, (await _services.SetsAsync())[0].InputSize);
    }

    [Fact]
    public async Task Bases_that_need_more_time_than_there_is_are_left_out_and_a_run_without_any_left_says_what_to_do()
    {
        var id = await _services.SubmitAsync(
            Specify(_services) with
            {
                Kind = RunKind.Compare,
                CompareSeconds = 1,
            },
            candidates: [new("mlnet-resnet18", 512)]
        );

        var run = await _services.ReachAsync(id, RunState.Failed);

        Assert.Contains("mlnet-resnet18", run.Failure, StringComparison.Ordinal);
        Assert.Contains("Give more compareSeconds", run.Failure, StringComparison.Ordinal);
    }

    private async Task<Run> CompareAsync(RunSpecification specification, RunState until) =>
        await _services.ReachAsync(await _services.SubmitAsync(specification, candidates: _candidates), until);

    private Task<List<ComparedBase>> BasesAsync(Run run) =>
        _services.QueryAsync(context =>
            context.ComparedBases.AsNoTracking().Where(row => row.RunId == run.Id).OrderBy(row => row.Position).ToListAsync()
        );
}
