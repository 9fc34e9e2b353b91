using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Pipeline;

/// <summary>The result of a submission.</summary>
public enum SubmitOutcome
{
    /// <summary>A new run.</summary>
    Created,

    /// <summary>The same submission was accepted before.</summary>
    Repeated,

    /// <summary>The key or id stands for a run with another specification.</summary>
    Conflict,
}

/// <summary>The result of a submission.</summary>
/// <param name="Outcome">The result.</param>
/// <param name="Run">The run as it stands in the catalog, which is the earlier one when it was submitted before.</param>
/// <param name="Job">The first job of a new run, whose message is to be sent; null where there is none.</param>
public sealed record Submission(SubmitOutcome Outcome, Run Run, Job? Job);

/// <summary>Enters runs into the catalog.</summary>
public sealed class RunRegister(IDbContextFactory<CatalogContext> contexts, TimeProvider time)
{
    /// <summary>Enters a run and plans its first job.</summary>
    public async Task<Submission> SubmitAsync(Run run, AuditActor actor, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(run);
        try
        {
            await using var context = await contexts.CreateDbContextAsync(cancellationToken);
            context.Runs.Add(run);
            context.Audit(actor, AuditAction.RunSubmitted, $"{run.Id:D}", Now(), run.Name);
            Job? job = null;
            if (!run.State.IsFinal())
            {
                var scope = JobKey.ScopeOf(run.Id);
                context.RunDependencies.Add(new RunDependency { RunId = run.Id, Scope = scope });
                if (run.Model is null && ContractJson.Read(run.Specification) is { Kind: RunKind.Train } specification)
                {
                    AddTrials(context, run, specification);
                }

                job = context.PlanJobs(RunStages.First.Kind, scope, [0], run.TraceParent, Now())[0];
                job.Priority = run.Priority;
            }

            await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            await context.SaveChangesAsync(cancellationToken);
            if (run.TimeLimit is { } limit)
            {
                // By the clock that judges it.
                await context
                    .Runs.Where(row => row.Id == run.Id)
                    .ExecuteUpdateAsync(row => row.SetProperty(r => r.Deadline, r => DateTime.UtcNow.AddSeconds(limit)), cancellationToken);
            }

            await transaction.CommitAsync(cancellationToken);
            return new Submission(SubmitOutcome.Created, run, job);
        }
        catch (DbUpdateException)
        {
            // Submitted before, or twice at once. To look first would cost all others a round trip.
            var known = await FindAsync(run.Id, run.IdempotencyKey, cancellationToken);
            if (known is null)
            {
                throw;
            }

            var isSame = ContractJson.IsSame(run.Specification, known.Specification);
            return new Submission(isSame ? SubmitOutcome.Repeated : SubmitOutcome.Conflict, known, Job: null);
        }
    }

    /// <summary>The run that a submission stands for, where it was accepted before; else null.</summary>
    /// <param name="runId">Its identity.</param>
    /// <param name="idempotencyKey">The submitter's key, where there is one.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public async Task<Run?> FindAsync(Guid runId, string? idempotencyKey, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context
            .Runs.AsNoTracking()
            .FirstOrDefaultAsync(
                known => known.Id == runId || (idempotencyKey != null && known.IdempotencyKey == idempotencyKey),
                cancellationToken
            );
    }

    /// <summary>Enters a run that was not accepted, where its sender has no other answer to read: as failed, with the reason.</summary>
    public async Task<SubmitOutcome> RefuseAsync(Guid runId, string reason, CancellationToken cancellationToken)
    {
        var now = Now();
        var (outcome, _, _) = await SubmitAsync(
            new Run
            {
                Id = runId,
                Tags = [],
                Specification = ContractJson.Write(new RunSpecification()),
                State = RunState.Failed,
                Failure = reason,
                FailureCause = FailureCause.Input,
                SubmittedAt = now,
                FinishedAt = now,
            },
            AuditActor.Message,
            cancellationToken
        );
        return outcome;
    }

    /// <summary>One for each solver that is to be tried on the run's features.</summary>
    private static void AddTrials(CatalogContext context, Run run, RunSpecification specification)
    {
        var trial = Trial.Of(run.Id, number: 0, specification);
        context.Trials.Add(trial);
        context.RunDependencies.Add(new RunDependency { RunId = run.Id, Scope = trial.Scope });
    }

    private DateTime Now() => time.GetUtcNow().UtcDateTime;
}
