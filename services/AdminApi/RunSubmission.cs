using System.Diagnostics;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Networks;
using Distributed.Pipeline;
using Distributed.Registry;
using Distributed.Storage;

namespace Distributed.AdminApi;

/// <summary>Accepts runs, whichever way they come.</summary>
public sealed partial class RunSubmission(
    RunRegister runs,
    ModelRegistry models,
    BackboneList backbones,
    Volume volume,
    JobDispatcher dispatcher,
    TimeProvider time,
    ILogger<RunSubmission> logger
)
{
    // The run is in the catalog by then: what is not sent in this time, the watchdog sends.
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Enters a run and sends it on its way.</summary>
    /// <param name="runId">Its identity.</param>
    /// <param name="specification">A valid specification.</param>
    /// <param name="idempotencyKey">The submitter's key, where there is one.</param>
    /// <param name="actor">Who submits it.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <exception cref="RegistryException">It names a base or a model that is not there, or settings that are not the model's.</exception>
    public async Task<(SubmitOutcome Outcome, Run Run)> SubmitAsync(
        Guid runId,
        RunSpecification specification,
        string? idempotencyKey,
        AuditActor actor,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(specification);
        var now = time.GetUtcNow().UtcDateTime;
        var model = specification.Model is null
            ? null
            : await FindModelAsync(runId, specification.Model, idempotencyKey, cancellationToken);
        specification = model is null ? BackboneSettings.Apply(specification, backbones) : PredictionSettings.Apply(specification, model);
        var candidates = BackboneSettings.FindCandidates(specification, backbones, known => File.Exists(volume.FullPath(known.VolumePath)));
        if (candidates is not null)
        {
            specification = specification.WithUsualInputSize(candidates.Max(one => one.InputSize));
        }

        var (outcome, run, job) = await runs.SubmitAsync(
            new Run
            {
                Id = runId,
                Name = specification.Name,
                Tags = specification.Tags,
                Submitter = specification.Submitter,
                IdempotencyKey = idempotencyKey,
                Specification = ContractJson.Write(specification),
                Model = specification.Model,
                ModelRunId = model?.RunId,
                Candidates = candidates is null ? null : CandidateBase.Write(candidates),
                Priority = specification.Priority,
                TimeLimit = specification.TimeLimit,
                SubmittedAt = now,
                TraceParent = CurrentTrace(),
            },
            actor,
            cancellationToken
        );
        using var scope = logger.BeginRun(run.Id, run.TraceParent);
        if (outcome == SubmitOutcome.Created)
        {
            LogAccepted(specification.Name ?? "unnamed", specification.Dataset, specification.Backbone);
        }

        if (outcome != SubmitOutcome.Conflict)
        {
            await SendAsync(run, job, cancellationToken);
        }

        return (outcome, run);
    }

    /// <summary>The version that a submission means: that of the first one where it was sent before, wherever the alias points by now.</summary>
    private async Task<ModelVersion> FindModelAsync(Guid runId, string model, string? idempotencyKey, CancellationToken cancellationToken)
    {
        var reference = ModelReference.Parse(model);
        var before = reference.Number is null ? await runs.FindAsync(runId, idempotencyKey, cancellationToken) : null;
        return await models.ResolveAsync(
            before?.Model is { } known && ModelReference.Parse(known) is var same && same.Name == reference.Name ? same : reference,
            cancellationToken
        );
    }

    private static string CurrentTrace() =>
        Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } id }
            ? id
            : $"00-{ActivityTraceId.CreateRandom()}-{ActivitySpanId.CreateRandom()}-01";

    private async Task SendAsync(Run run, Job? job, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(SendTimeout);
        try
        {
            await (
                job is null
                    ? dispatcher.SendAsync([JobKey.ScopeOf(run.Id)], again: true, timeout.Token)
                    : dispatcher.SendNewAsync(job, timeout.Token)
            );
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            LogNotSent(exception);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Run accepted: {Name}, data set {Dataset}, backbone {Backbone}")]
    private partial void LogAccepted(string name, string dataset, string backbone);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The run is accepted, and the broker cannot be reached at the moment; the run starts when it is back"
    )]
    private partial void LogNotSent(Exception exception);
}
