using Distributed.Storage;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>
/// Has damaged or missing files of the volume made again. A unit that cannot read a file gives itself back, and the unit that
/// made the file is planned again, in one transaction; the reader waits until it is done (<see cref="RunFlow.WakeAsync"/>).
/// The rows stay as they are until then, naming a file that nobody takes for whole.
/// </summary>
public sealed class FileRecovery(UnitLedger ledger, UnitOptions options, TimeProvider time)
{
    /// <summary>Plans again what made the files that a unit could not read, and lets the unit wait.</summary>
    /// <param name="lease">The right to the unit.</param>
    /// <param name="error">Names the files.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>Subjects that have units to send; null where nothing can make the files again, or did so too often: then the unit is still held.</returns>
    public async Task<IReadOnlyList<string>?> RecoverAsync(UnitLease lease, StoredFileException error, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(error);
        if (error.Paths.Count == 0)
        {
            return null;
        }

        var subjects = new List<string> { lease.Unit.Subject };
        var hopeless = false;
        await ledger.SuspendAsync(
            lease,
            error.Message,
            async context =>
            {
                var state = UnitState.Pending;
                foreach (var path in error.Paths)
                {
                    var planned = await PlanAgainAsync(context, lease, path, error.Message, cancellationToken);
                    hopeless |= planned.IsHopeless;
                    state = planned.Waits ? UnitState.Waiting : state;
                    subjects.AddRange(planned.Subjects);
                }

                return hopeless ? null : state;
            },
            cancellationToken
        );
        return hopeless ? null : subjects;
    }

    private async Task<Planned> PlanAgainAsync(
        CatalogContext context,
        UnitLease lease,
        string path,
        string reason,
        CancellationToken cancellationToken
    )
    {
        var reader = lease.Unit;
        if (
            await context.Checkpoints.AsNoTracking().SingleOrDefaultAsync(row => row.File.Path == path, cancellationToken) is { } checkpoint
        )
        {
            return checkpoint.Kind == CheckpointKind.Last
                ? await GoBackAsync(context, checkpoint, cancellationToken)
                : await ExportAgainAsync(context, lease, checkpoint, cancellationToken);
        }

        if (await FindMakerAsync(context, reader, path, cancellationToken) is not { } maker)
        {
            // Another reader was first, and the file has been made again under another name; or it is none that a unit makes.
            return new Planned(Waits: false, IsHopeless: false, []);
        }

        var unit = context.Unit(maker);
        var made = await context.Attempts.CountAsync(
            attempt => attempt.Outcome == AttemptOutcome.Done && unit.Any(row => row.Id == attempt.UnitId),
            cancellationToken
        );
        if (made >= options.MostStarts || !await unit.AnyAsync(cancellationToken))
        {
            return new Planned(Waits: false, IsHopeless: true, []);
        }

        await context.RequeueAsync(maker, reason, cancellationToken);
        if (maker.Kind == UnitKind.ExtractFeatures)
        {
            await context
                .FeatureSets.Where(set => set.Key == maker.Subject)
                .ExecuteUpdateAsync(set => set.SetProperty(s => s.CompletedAt, (DateTime?)null), cancellationToken);
        }

        if (maker.Kind is UnitKind.PackImages or UnitKind.CompleteDataset or UnitKind.ExtractFeatures)
        {
            // The runs may have come to the reader by another way than the unit's own subject, and units are worked on for open runs only.
            foreach (var run in await context.OpenRunsThatNeed(reader.Subject).Select(run => run.Id).ToListAsync(cancellationToken))
            {
                await context.DependAsync(run, maker.Subject, cancellationToken);
            }
        }

        return new Planned(Waits: true, IsHopeless: false, [maker.Subject]);
    }

    private static async Task<UnitKey?> FindMakerAsync(
        CatalogContext context,
        UnitKey reader,
        string path,
        CancellationToken cancellationToken
    )
    {
        if (await context.FeatureShards.AsNoTracking().SingleOrDefaultAsync(row => row.File.Path == path, cancellationToken) is { } shard)
        {
            return new UnitKey(UnitKind.ExtractFeatures, shard.FeatureSetKey, shard.Shard);
        }

        if (
            await context
                .PackedParts.AsNoTracking()
                .SingleOrDefaultAsync(row => row.Pixels.Path == path || row.Records.Path == path, cancellationToken) is
            { } part
        )
        {
            return new UnitKey(UnitKind.PackImages, part.IngestionKey, part.Part);
        }

        var runs = context.OpenRunsThatNeed(reader.Subject).OrderBy(run => run.SubmittedAt);
        if (await context.Datasets.AnyAsync(row => row.Manifest.Path == path, cancellationToken))
        {
            var ingestion = await runs.Select(run => run.IngestionKey).FirstOrDefaultAsync(cancellationToken);
            return ingestion is null ? null : new UnitKey(UnitKind.CompleteDataset, ingestion, 0);
        }

        if (await context.Ingestions.AnyAsync(row => row.Listing.Path == path, cancellationToken))
        {
            return await FindOfRunAsync(UnitKind.IngestDataset);
        }

        return
            await context.Runs.AnyAsync(row => row.Split!.Path == path, cancellationToken)
            || await context.Backbones.AnyAsync(row => row.File!.Path == path, cancellationToken)
            ? await FindOfRunAsync(UnitKind.PlanFeatures)
            : null;

        async Task<UnitKey?> FindOfRunAsync(UnitKind kind)
        {
            if (await runs.Select(run => (Guid?)run.Id).FirstOrDefaultAsync(cancellationToken) is not { } run)
            {
                return null;
            }

            var subject = UnitKey.SubjectOf(run);
            var step = await context
                .WorkUnits.Where(unit => unit.Kind == kind && unit.Subject == subject)
                .MaxAsync(unit => (int?)unit.Step, cancellationToken);
            return step is { } last ? new UnitKey(kind, subject, last) : null;
        }
    }

    /// <summary>Training goes on from the checkpoint before, or from the beginning; what came after it is forgotten.</summary>
    private static async Task<Planned> GoBackAsync(CatalogContext context, Checkpoint damaged, CancellationToken cancellationToken)
    {
        var ofRun = context.Checkpoints.Where(row => row.RunId == damaged.RunId);
        var epoch = await ofRun
            .Where(row => row.Kind == CheckpointKind.Last && row.Slice < damaged.Slice)
            .OrderByDescending(row => row.Slice)
            .Select(row => row.Epoch)
            .FirstOrDefaultAsync(cancellationToken);
        await ofRun.Where(row => row.Slice >= damaged.Slice).ExecuteDeleteAsync(cancellationToken);
        await context.EpochMetrics.Where(row => row.RunId == damaged.RunId && row.Epoch > epoch).ExecuteDeleteAsync(cancellationToken);
        return new Planned(Waits: false, IsHopeless: false, []);
    }

    /// <summary>The trainer's last state holds the best head: one more slice writes it again.</summary>
    private async Task<Planned> ExportAgainAsync(
        CatalogContext context,
        UnitLease lease,
        Checkpoint damaged,
        CancellationToken cancellationToken
    )
    {
        // Each time by a unit of its own, so that it is the reader's attempts that tell how often.
        if (
            await context.Attempts.CountAsync(
                attempt => attempt.UnitId == lease.Id && attempt.Outcome == AttemptOutcome.Blocked,
                cancellationToken
            ) >= options.MostStarts
        )
        {
            return new Planned(Waits: false, IsHopeless: true, []);
        }

        var subject = UnitKey.SubjectOf(damaged.RunId);
        var slices = context.WorkUnits.Where(unit => unit.Kind == UnitKind.TrainHead && unit.Subject == subject);

        await context
            .Checkpoints.Where(row => row.RunId == damaged.RunId && row.Kind == CheckpointKind.Best)
            .ExecuteDeleteAsync(cancellationToken);
        if (!await slices.AnyAsync(unit => unit.State != UnitState.Done, cancellationToken))
        {
            var next = (await slices.MaxAsync(unit => (int?)unit.Step, cancellationToken) ?? -1) + 1;
            var traceParent = await context
                .Runs.Where(run => run.Id == damaged.RunId)
                .Select(run => run.TraceParent)
                .SingleAsync(cancellationToken);
            context.PlanUnits(UnitKind.TrainHead, subject, [next], traceParent, time.GetUtcNow().UtcDateTime);
        }

        return new Planned(Waits: true, IsHopeless: false, [subject]);
    }

    /// <param name="Waits">Whether the reader waits for a unit, rather than trying again at once.</param>
    /// <param name="IsHopeless">Whether nothing can make the file again.</param>
    /// <param name="Subjects">Subjects that have units to send.</param>
    private sealed record Planned(bool Waits, bool IsHopeless, IReadOnlyList<string> Subjects);
}
