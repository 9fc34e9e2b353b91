using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Registry;
using Distributed.Storage;
using Distributed.Vision.Weights;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Training.Handlers;

/// <summary>Tries the next of a run's candidate bases; after the last one, chooses, and has the images ingested for it.</summary>
internal sealed class CompareBackbonesHandler(
    IDbContextFactory<CatalogContext> contexts,
    DatasetArtifacts artifacts,
    BackboneTrial trial,
    Volume volume,
    TimeProvider time
) : IJobHandler<CompareBackbones>
{
    public async Task<JobWrite> ExecuteAsync(CompareBackbones job, JobLease lease, CancellationToken cancellationToken)
    {
        var (run, specification) = await contexts.ReadRunAsync(lease.RunId, cancellationToken);
        var manifest = await artifacts.ReadManifestAsync(run.DatasetSha256!, cancellationToken);
        var before = await ReadComparedAsync(run.Id, cancellationToken);
        var left = CandidateBase.Read(run.Candidates!).Count - before.Count;
        var seconds = (specification.CompareSeconds - before.Sum(row => row.Seconds)) / left;
        var compared = await trial.RunAsync(run, specification, manifest, before.Count, seconds, cancellationToken);
        if (left > 1)
        {
            return JobWrite.To<CatalogContext>(
                (context, _) =>
                {
                    context.ComparedBases.Add(compared);
                    context.PlanNextSlice(lease, Now());
                    return Task.CompletedTask;
                }
            );
        }

        var ranked = BackboneChoice.Rank([.. before, compared]);
        var chosen = ranked.FirstOrDefault(one => one.IsChosen) ?? throw new WeightsException(NoneOf(ranked));
        var sample = BackboneTrial.DrawSample(manifest, specification);
        var picture = await volume.WriteAsync(
            $"runs/{run.Id:D}/comparison.{lease.TokenText}.svg",
            (stream, token) => stream.WriteAsync(ComparisonPicture.Draw(ranked, sample.Length), token).AsTask(),
            cancellationToken
        );
        var comparison = new Comparison
        {
            RunId = run.Id,
            Backbone = chosen.Base.Backbone,
            Images = sample.Length,
            Picture = picture,
            CreatedAt = Now(),
        };
        return JobWrite.To<CatalogContext>(
            async (context, token) =>
            {
                context.ComparedBases.Add(compared);
                context.Comparisons.Add(comparison);
                await context
                    .Runs.Where(row => row.Id == run.Id)
                    .ExecuteUpdateAsync(row => row.SetProperty(r => r.ChosenBackbone, comparison.Backbone), token);
                await GoOnAsync(context, run, specification.Kind, lease, token);
            }
        );
    }

    /// <summary>A run that only compares is complete. Others ingest their images for the base that was chosen; where they are of its size, that is done at once.</summary>
    private async Task GoOnAsync(CatalogContext context, Run run, RunKind kind, JobLease lease, CancellationToken cancellationToken)
    {
        if (kind == RunKind.Compare)
        {
            await context.MoveRunAsync(run.Id, RunState.Comparing, RunState.Completed, Now(), cancellationToken);
            return;
        }

        var scope = JobKey.ScopeOf(run.Id);
        var next = await context
            .Jobs.Where(job => job.Kind == nameof(IngestDataset) && job.Scope == scope)
            .MaxAsync(job => job.Step, cancellationToken);
        // Moved by hand, since the ingestion's own time stays that of its beginning.
        await context
            .Runs.Where(row => row.Id == run.Id && row.State == RunState.Comparing)
            .ExecuteUpdateAsync(
                row =>
                    row.SetProperty(r => r.State, RunState.Ingesting)
                        .SetProperty(r => r.ComparingAt, (DateTime?)null)
                        .SetProperty(r => r.IngestionKey, (string?)null),
                cancellationToken
            );
        context.PlanJobs(nameof(IngestDataset), scope, [next + 1], lease.TraceParent, Now());
    }

    private async Task<List<ComparedBase>> ReadComparedAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context
            .ComparedBases.AsNoTracking()
            .Where(row => row.RunId == runId)
            .OrderBy(row => row.Position)
            .ToListAsync(cancellationToken);
    }

    private static string NoneOf(IReadOnlyList<RankedBase> ranked) =>
        $"None of the bases could be compared: {string.Join("; ", ranked.Select(one => $"{one.Base.Backbone}: {one.Base.Reason}"))}. Give more compareSeconds, other candidates, or name the backbone.";

    private DateTime Now() => time.GetUtcNow().UtcDateTime;
}
