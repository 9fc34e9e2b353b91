using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Evaluation;
using Distributed.Ingestion;
using Distributed.Pipeline;
using Distributed.ServiceTests;
using Distributed.Training;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.Registry.Tests;

/// <summary>Two runs on the same pictures, of which the second is much better, and one on others.</summary>
public sealed class CompletedRuns : IAsyncLifetime
{
    internal ServiceHarness Services { get; private set; } = null!;

    internal Run Weak { get; private set; } = null!;

    internal Run Strong { get; private set; } = null!;

    internal Run Other { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Services = await ServiceHarness.StartAsync(
            (builder, consumers) =>
            {
                builder.AddIngestion(consumers);
                builder.AddTraining(consumers);
                builder.AddEvaluation(consumers);
                builder.Services.AddSingleton<ModelRegistry>();
            },
            ("Training:Device", "cpu"),
            ("Ingestion:SampleTrainImages", "200"),
            ("Ingestion:SampleTestImages", "150")
        );
        var specification = new RunSpecification
        {
            InputSize = 48,
            Precision = Precision.Fp32,
            Report = false,
        };
        // One step of Adam is hardly better than chance.
        Weak = await Services.RunAsync(
            specification with
            {
                Backbone = "random",
                Training = new TrainingSpecification
                {
                    Optimizer = HeadOptimizer.Adam,
                    Epochs = 1,
                    LearningRate = 1e-6,
                },
            },
            RunState.Completed
        );
        Strong = await Services.RunAsync(specification with { Backbone = "demo" }, RunState.Completed);
        Other = await Services.RunAsync(
            specification with
            {
                Dataset = Services.WritePictures("pets", classes: 3, imagesAClass: 20),
                Backbone = "demo",
            },
            RunState.Completed
        );
    }

    public ValueTask DisposeAsync() => Services.DisposeAsync();
}

public sealed class RegistryTests(CompletedRuns runs) : IClassFixture<CompletedRuns>
{
    private static readonly AuditActor Actor = new(AuditActorKind.Key, "tests");
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly string _name = $"model-{Guid.NewGuid():N}";

    private ModelRegistry Registry => runs.Services.Services.GetRequiredService<ModelRegistry>();

    [Fact]
    public async Task A_version_says_everything_that_it_takes_to_make_it_again()
    {
        var version = await Registry.RegisterAsync(_name, runs.Strong.Id, "first try", Actor, None);

        var lineage = ModelLineage.Read(version.Lineage);
        var evaluation = await runs.Services.QueryAsync(context =>
            context.Evaluations.AsNoTracking().SingleAsync(row => row.RunId == runs.Strong.Id)
        );
        Assert.Equal((1, "first try", "tests", runs.Strong.Id), (version.Number, version.Note, version.CreatedBy, version.RunId));
        Assert.Equal(evaluation.HeadSha256, version.Head.Sha256);
        Assert.Equal((evaluation.HeadSha256, runs.Strong.DatasetSha256), (lineage.HeadSha256, lineage.Dataset.Sha256));
        Assert.Equal(ContractJson.Read(runs.Strong.Specification).Backbone, ContractJson.Read(lineage.Specification.GetRawText()).Backbone);
        Assert.Equal(10, lineage.Dataset.Classes.Count);
        Assert.Equal((200, 150), (lineage.Dataset.TrainImages + lineage.Dataset.ValidationImages, lineage.Dataset.TestImages));
        Assert.Equal(runs.Strong.Split!.Sha256, lineage.Dataset.SplitSha256);
        Assert.Equal(("densenet121", "demo", 48), (lineage.Backbone.Architecture, lineage.Backbone.Source, lineage.Features.InputSize));
        Assert.Equal(
            (evaluation.TestAccuracy, evaluation.TestAccuracyLow, evaluation.TestAccuracyHigh, evaluation.CalibrationError),
            (lineage.Metrics.Accuracy, lineage.Metrics.AccuracyLow, lineage.Metrics.AccuracyHigh, lineage.Metrics.CalibrationError)
        );
        Assert.True(lineage.Environment!.Value.TryGetProperty("program", out _));
        Assert.Contains("--input-size 48", lineage.CommandLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_is_one_version_however_often_it_is_registered_and_numbers_are_not_given_twice()
    {
        var first = await Registry.RegisterAsync(_name, runs.Weak.Id, null, Actor, None);
        var again = await Registry.RegisterAsync(_name, runs.Weak.Id, "other words", Actor, None);
        var second = await Registry.RegisterAsync(_name, runs.Strong.Id, null, Actor, None);
        Assert.Equal((1, 1, 2), (first.Number, again.Number, second.Number));

        await Registry.DeleteVersionAsync(_name, 2, Actor, None);
        Assert.Equal(3, (await Registry.RegisterAsync(_name, runs.Strong.Id, null, Actor, None)).Number);
    }

    [Fact]
    public async Task Many_who_register_at_once_get_versions_of_one_model()
    {
        Guid[] ids = [runs.Weak.Id, runs.Strong.Id, runs.Other.Id];
        var versions = await Task.WhenAll(
            Enumerable.Range(0, 12).Select(i => Task.Run(() => Registry.RegisterAsync(_name, ids[i % 3], null, Actor, None)))
        );

        Assert.Equal([1, 2, 3], versions.Select(version => version.Number).Distinct().Order());
        Assert.All(versions.GroupBy(version => version.RunId), ofRun => Assert.Single(ofRun.Select(version => version.Number).Distinct()));
    }

    [Fact]
    public async Task An_alias_is_moved_and_goes_back_step_by_step_and_every_move_is_in_the_audit_log()
    {
        foreach (var run in new[] { runs.Weak, runs.Strong, runs.Other })
        {
            await Registry.RegisterAsync(_name, run.Id, null, Actor, None);
        }

        foreach (var number in new[] { 1, 2, 3 })
        {
            await Registry.PromoteAsync(_name, "champion", number, rule: null, $"try {number}", Actor, None);
        }

        Assert.Equal(2, (await Registry.RollBackAsync(_name, "champion", "bad", Actor, None)).Version);
        Assert.Equal(1, (await Registry.RollBackAsync(_name, "champion", null, Actor, None)).Version);
        var exception = await Assert.ThrowsAsync<RegistryException>(() => Registry.RollBackAsync(_name, "champion", null, Actor, None));
        Assert.Contains("nothing to go back to", exception.Message, StringComparison.Ordinal);
        var actions = await runs.Services.QueryAsync(context =>
            context
                .AuditLog.Where(entry => entry.Subject == $"model {_name}")
                .OrderBy(entry => entry.Id)
                .Select(entry => new { entry.Action, entry.Detail })
                .ToListAsync()
        );
        Assert.Equal(
            [
                AuditAction.ModelRegistered,
                AuditAction.ModelRegistered,
                AuditAction.ModelRegistered,
                AuditAction.ModelPromoted,
                AuditAction.ModelPromoted,
                AuditAction.ModelPromoted,
                AuditAction.ModelRolledBack,
                AuditAction.ModelRolledBack,
            ],
            actions.Select(entry => entry.Action)
        );
        Assert.Equal("champion: version 3 → version 2; bad", actions[6].Detail);
        Assert.Equal(runs.Weak.Id, (await Registry.ResolveAsync(ModelReference.Parse($"{_name}@champion"), None)).RunId);
        Assert.Equal(runs.Strong.Id, (await Registry.ResolveAsync(ModelReference.Parse($"{_name}@2"), None)).RunId);
    }

    [Fact]
    public async Task By_rule_an_alias_moves_only_to_a_version_that_is_better_on_the_same_test_images()
    {
        foreach (var run in new[] { runs.Weak, runs.Strong, runs.Other })
        {
            await Registry.RegisterAsync(_name, run.Id, null, Actor, None);
        }

        var rule = new PromotionRule(0.99);
        // There is nothing yet that it must be better than.
        await Registry.PromoteAsync(_name, "champion", 1, rule, null, Actor, None);
        Assert.Equal(2, (await Registry.PromoteAsync(_name, "champion", 2, rule, null, Actor, None)).Version);

        var worse = await Assert.ThrowsAsync<RegistryException>(() => Registry.PromoteAsync(_name, "champion", 1, rule, null, Actor, None));
        Assert.Contains("is not better than version 2 at a confidence of 0.99", worse.Message, StringComparison.Ordinal);
        var others = await Assert.ThrowsAsync<RegistryException>(() =>
            Registry.PromoteAsync(_name, "champion", 3, rule, null, Actor, None)
        );
        Assert.Contains("different images", others.Message, StringComparison.Ordinal);
        Assert.Equal(2, (await Registry.ResolveAsync(new ModelReference(_name, "champion"), None)).Number);

        var comparison = await Registry.CompareAsync(_name, 1, 2, None);
        var (weak, strong) = (await FindAsync(runs.Weak), await FindAsync(runs.Strong));
        Assert.Equal(150, comparison.Images);
        Assert.Equal((weak.TestAccuracy, strong.TestAccuracy), (comparison.First / 150.0, comparison.Second / 150.0));
        Assert.Equal(comparison.Second - comparison.First, comparison.Test.SecondOnly - comparison.Test.FirstOnly);
    }

    [Fact]
    public async Task What_an_alias_or_a_version_needs_cannot_be_deleted()
    {
        await Registry.RegisterAsync(_name, runs.Strong.Id, null, Actor, None);
        await Registry.PromoteAsync(_name, "champion", 1, rule: null, null, Actor, None);
        await Registry.PromoteAsync(_name, "tested", 1, rule: null, null, Actor, None);
        var control = runs.Services.Services.GetRequiredService<RunControl>();

        await Refused(() => Registry.DeleteVersionAsync(_name, 1, Actor, None), "champion and tested of");
        await Refused(() => Registry.DeleteAsync(_name, Actor, None), "champion, tested");
        Assert.Equal(DeleteOutcome.Registered, await control.DeleteAsync(runs.Strong.Id, Actor, None));

        await Registry.RemoveAliasAsync(_name, "champion", Actor, None);
        await Registry.RemoveAliasAsync(_name, "tested", Actor, None);
        await Registry.DeleteAsync(_name, Actor, None);
        var gone = await Assert.ThrowsAsync<RegistryException>(() => Registry.ResolveAsync(new ModelReference(_name, "1"), None));
        Assert.Equal(RegistryProblem.NotFound, gone.Problem);
    }

    [Fact]
    public async Task What_is_not_there_or_out_of_range_is_named()
    {
        await Registry.RegisterAsync(_name, runs.Strong.Id, null, Actor, None);
        var unfinished = Guid.NewGuid();
        await runs.Services.QueryAsync(async context =>
        {
            context.Runs.Add(
                new Run
                {
                    Id = unfinished,
                    Tags = [],
                    Specification = "{}",
                    SubmittedAt = DateTime.UtcNow,
                    State = RunState.Failed,
                }
            );
            return await context.SaveChangesAsync();
        });

        await Refused(() => Registry.RegisterAsync("No Name", runs.Strong.Id, null, Actor, None), "lower-case letters");
        await Refused(() => Registry.RegisterAsync(_name, Guid.Empty, null, Actor, None), "No run has the id");
        await Refused(() => Registry.RegisterAsync(_name, unfinished, null, Actor, None), "is failed; only the head of a completed run");
        await Refused(() => Registry.RegisterAsync(_name, runs.Strong.Id, new string('x', 2001), Actor, None), "2001 characters");
        await Refused(() => Registry.PromoteAsync(_name, "12", 1, rule: null, null, Actor, None), "no number");
        await Refused(() => Registry.PromoteAsync(_name, "champion", 7, rule: null, null, Actor, None), "has no version 7");
        await Refused(() => Registry.PromoteAsync("nothing", "champion", 1, rule: null, null, Actor, None), "no model nothing");
        await Refused(() => Registry.PromoteAsync(_name, "champion", 1, new PromotionRule(1.5), null, Actor, None), "above 0 and below 1");
        await Refused(() => Registry.RollBackAsync(_name, "nobody", null, Actor, None), "has no alias nobody");
        await Refused(() => Registry.ResolveAsync(new ModelReference(_name, "nobody"), None), "has no alias nobody");
        await Refused(() => Registry.DescribeAsync("nothing", "words", revision: null, Actor, None), "no model nothing");
    }

    private static async Task Refused(Func<Task> act, string said) =>
        Assert.Contains(said, (await Assert.ThrowsAsync<RegistryException>(act)).Message, StringComparison.Ordinal);

    private Task<Catalog.Evaluation> FindAsync(Run run) =>
        runs.Services.QueryAsync(context => context.Evaluations.AsNoTracking().SingleAsync(row => row.RunId == run.Id));
}
