using System.Text.Json;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Distributed.Catalog;

/// <summary>The catalog: what runs there are, how far they are, and where their files are. Two providers derive from it, each with its migrations.</summary>
public abstract class CatalogContext(DbContextOptions options) : JobsContext(options)
{
    // Each entity says what its table holds.
#pragma warning disable CS1591
    public DbSet<Run> Runs => Set<Run>();
    public DbSet<RunDependency> RunDependencies => Set<RunDependency>();
    public DbSet<Trial> Trials => Set<Trial>();
    public DbSet<Dataset> Datasets => Set<Dataset>();
    public DbSet<Ingestion> Ingestions => Set<Ingestion>();
    public DbSet<PackedPartRecord> PackedParts => Set<PackedPartRecord>();
    public DbSet<Download> Downloads => Set<Download>();
    public DbSet<Backbone> Backbones => Set<Backbone>();
    public DbSet<FeatureSet> FeatureSets => Set<FeatureSet>();
    public DbSet<FeatureShard> FeatureShards => Set<FeatureShard>();
    public DbSet<DatasetAuditRecord> DatasetAudits => Set<DatasetAuditRecord>();
    public DbSet<FeatureMapRecord> FeatureMaps => Set<FeatureMapRecord>();
    public DbSet<Checkpoint> Checkpoints => Set<Checkpoint>();
    public DbSet<EpochMetric> EpochMetrics => Set<EpochMetric>();
    public DbSet<Evaluation> Evaluations => Set<Evaluation>();
    public DbSet<DatasetPrediction> DatasetPredictions => Set<DatasetPrediction>();
    public DbSet<ComparedBase> ComparedBases => Set<ComparedBase>();
    public DbSet<Comparison> Comparisons => Set<Comparison>();
    public DbSet<ClassMetric> ClassMetrics => Set<ClassMetric>();
    public DbSet<Model> Models => Set<Model>();
    public DbSet<ModelVersion> ModelVersions => Set<ModelVersion>();
    public DbSet<ModelAlias> ModelAliases => Set<ModelAlias>();
    public DbSet<AliasChange> AliasChanges => Set<AliasChange>();
    public DbSet<SavedView> SavedViews => Set<SavedView>();
    public DbSet<ApiKey> ApiKeys => Set<ApiKey>();
    public DbSet<AuditEntry> AuditLog => Set<AuditEntry>();
    public DbSet<Installation> Installation => Set<Installation>();
    public DbSet<Change> Changes => Set<Change>();
    public DbSet<Worker> Workers => Set<Worker>();
    public DbSet<DeadLetter> DeadLetters => Set<DeadLetter>();
    public DbSet<Webhook> Webhooks => Set<Webhook>();
    public DbSet<WebhookDelivery> WebhookDeliveries => Set<WebhookDelivery>();
    public DbSet<WebhookCursor> WebhookCursors => Set<WebhookCursor>();
#pragma warning restore CS1591

    /// <inheritdoc />
    public override IQueryable<JobDemand> OpenDemands =>
        RunDependencies.Join(
            this.OpenRuns(),
            dependency => dependency.RunId,
            run => run.Id,
            (dependency, run) =>
                new JobDemand
                {
                    RunId = run.Id,
                    Scope = dependency.Scope,
                    Priority = run.Priority,
                    SubmittedAt = run.SubmittedAt,
                }
        );

    /// <inheritdoc />
    public override async Task FailRunsAsync(string scope, JobFailure failure, DateTime now, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(failure);
        var dependents = RunDependencies.Where(dependency => dependency.Scope == scope).Select(dependency => dependency.RunId);
        var ended = await Runs.Where(run => dependents.Contains(run.Id)).EndAsync(RunState.Failed, failure, now, cancellationToken);
        if (ended > 0 && failure.Cause == FailureCause.Attempts)
        {
            await this.KeepFailedAsync(scope, failure.Reason, now, cancellationToken);
        }
    }

    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        ArgumentNullException.ThrowIfNull(modelBuilder);
        base.OnModelCreating(modelBuilder);
        modelBuilder.Entity<Run>(run =>
        {
            run.HasIndex(r => r.IdempotencyKey).IsUnique();
            run.HasIndex(r => new { r.State, r.SubmittedAt });
            RunListColumns.AddIndices(run);
            // Who waits for a shared scope is asked after every job of it.
            run.HasIndex(r => new { r.FeatureSetKey, r.State });
            run.HasIndex(r => new { r.IngestionKey, r.State });
            // Of the few runs among many that their questions are about: each is asked after every run, or every few seconds.
            run.HasIndex(r => r.FinishedAt).HasFilter("finished_at IS NOT NULL AND end_published_at IS NULL");
            run.HasIndex(r => r.Deadline).HasFilter("finished_at IS NULL AND deadline IS NOT NULL");
            run.Ignore(r => r.TimeLimit);
            run.Property(r => r.Priority).HasDefaultValue(RunPriority.Interactive);
            run.ComplexProperty(r => r.Split);
        });
        modelBuilder.Entity<RunDependency>(dependency =>
        {
            dependency.HasKey(d => new { d.RunId, d.Scope });
            dependency.HasIndex(d => d.Scope);
            BelongsToRun(dependency);
        });
        modelBuilder.Entity<Trial>(trial =>
        {
            trial.HasKey(t => new { t.RunId, t.Number });
            trial.HasIndex(t => t.Scope).IsUnique();
            BelongsToRun(trial);
        });
        modelBuilder.Entity<Dataset>(dataset =>
        {
            dataset.HasKey(d => d.Sha256);
            dataset.ComplexProperty(d => d.Manifest);
        });
        modelBuilder.Entity<Ingestion>(ingestion =>
        {
            ingestion.HasKey(i => i.Key);
            ingestion.ComplexProperty(i => i.FileIndex);
            ingestion.Property(i => i.Summary).HasConversion<SummaryConverter>();
            ingestion.Property(i => i.Fit).HasConversion<ChoiceConverter<FitMode>>();
            ingestion.Property(i => i.Decoding).HasConversion<ChoiceConverter<JpegDecoding>>();
            ingestion.Property(i => i.Resampling).HasConversion<ChoiceConverter<ResampleFilter>>();
        });
        modelBuilder.Entity<PackedPartRecord>(part =>
        {
            part.ToTable("packed_parts");
            part.HasKey(p => new { p.IngestionKey, p.Part });
            part.ComplexProperty(p => p.Pixels);
            part.ComplexProperty(p => p.Records);
        });
        modelBuilder.Entity<Download>().HasKey(d => d.Key);
        modelBuilder.Entity<Backbone>(backbone =>
        {
            backbone.HasKey(b => b.Sha256);
            backbone.ComplexProperty(b => b.File);
        });
        modelBuilder.Entity<ComparedBase>(compared =>
        {
            compared.HasKey(row => new { row.RunId, row.Position });
            BelongsToRun(compared);
        });
        modelBuilder.Entity<Comparison>(comparison =>
        {
            comparison.HasKey(row => row.RunId);
            BelongsToRun(comparison);
            comparison.ComplexProperty(row => row.Picture);
        });
        modelBuilder.Entity<FeatureSet>(set =>
        {
            set.Property(s => s.Precision).HasConversion<ChoiceConverter<Precision>>();
            set.Property(s => s.Crops).HasConversion<ChoiceConverter<ImageCrops>>();
            set.Ignore(s => s.Views);
            set.HasKey(s => s.Key);
            set.HasIndex(s => s.DatasetSha256);
        });
        modelBuilder.Entity<FeatureShard>(shard =>
        {
            shard.HasKey(s => new { s.FeatureSetKey, s.Shard });
            shard.ComplexProperty(s => s.File);
        });
        modelBuilder.Entity<DatasetAuditRecord>(audit =>
        {
            audit.HasKey(a => a.Key);
            audit.ComplexProperty(a => a.File);
        });
        modelBuilder.Entity<FeatureMapRecord>(map =>
        {
            map.HasKey(m => m.FeatureSetKey);
            map.ComplexProperty(m => m.File);
        });
        modelBuilder.Entity<Checkpoint>(checkpoint =>
        {
            checkpoint.HasKey(c => new
            {
                c.RunId,
                c.Trial,
                c.Slice,
                c.Kind,
            });
            checkpoint.ComplexProperty(c => c.File);
            BelongsToTrial(checkpoint);
        });
        modelBuilder.Entity<EpochMetric>(metric =>
        {
            metric.HasKey(m => new
            {
                m.RunId,
                m.Trial,
                m.Epoch,
            });
            BelongsToTrial(metric);
        });
        modelBuilder.Entity<Evaluation>(evaluation =>
        {
            evaluation.HasKey(e => e.RunId);
            RunListColumns.AddIndices(evaluation);
            evaluation.ComplexProperty(e => e.Report);
            evaluation.ComplexProperty(e => e.Predictions);
            evaluation.HasOne(e => e.Run).WithMany().HasForeignKey(e => e.RunId).OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<DatasetPrediction>(prediction =>
        {
            prediction.HasKey(p => p.RunId);
            prediction.ComplexProperty(p => p.Csv);
            prediction.ComplexProperty(p => p.JsonLines);
            BelongsToRun(prediction);
        });
        modelBuilder.Entity<ClassMetric>(metric =>
        {
            metric.HasKey(m => new { m.RunId, m.Label });
            BelongsToRun(metric);
        });
        modelBuilder.Entity<Model>().HasKey(model => model.Name);
        modelBuilder.Entity<ModelVersion>(version =>
        {
            version.HasKey(v => new { v.ModelName, v.Number });
            version.HasIndex(v => new { v.ModelName, v.RunId }).IsUnique();
            version.ComplexProperty(v => v.Head);
            version.HasOne<Model>().WithMany().HasForeignKey(v => v.ModelName).OnDelete(DeleteBehavior.Restrict);
            // What a version needs stays: its run, and with it head, splits and figures.
            version.HasOne<Run>().WithMany().HasForeignKey(v => v.RunId).OnDelete(DeleteBehavior.Restrict);
        });
        modelBuilder.Entity<ModelAlias>(alias =>
        {
            alias.HasKey(a => new { a.ModelName, a.Alias });
            alias.HasOne<ModelVersion>().WithMany().HasForeignKey(a => new { a.ModelName, a.Version }).OnDelete(DeleteBehavior.Restrict);
        });
        modelBuilder.Entity<SavedView>().HasKey(view => view.Name);
        modelBuilder.Entity<AliasChange>().HasIndex(change => new { change.ModelName, change.Alias });
        modelBuilder.Entity<Installation>().Property(row => row.Id).ValueGeneratedNever();
        modelBuilder.Entity<ApiKey>().HasIndex(key => key.Name).IsUnique().HasFilter("revoked_at IS NULL");
        // Of no run: what was done stays when that to which it was done is gone.
        modelBuilder.Entity<AuditEntry>().HasIndex(entry => entry.Subject);
        LiveTables.Configure(modelBuilder);
    }

    private static void BelongsToRun<T>(EntityTypeBuilder<T> entity)
        where T : class => entity.HasOne<Run>().WithMany().HasForeignKey("RunId").OnDelete(DeleteBehavior.Cascade);

    private static void BelongsToTrial<T>(EntityTypeBuilder<T> entity)
        where T : class => entity.HasOne<Trial>().WithMany().HasForeignKey("RunId", "Trial").OnDelete(DeleteBehavior.Cascade);

    /// <summary>A document for people, of which no query asks a part.</summary>
    private sealed class SummaryConverter()
        : ValueConverter<IngestionSummary, string>(
            value => JsonSerializer.Serialize(value, JsonSerializerOptions.Web),
            text => JsonSerializer.Deserialize<IngestionSummary>(text, JsonSerializerOptions.Web)!
        );

    /// <summary>Choices of a specification have the names that they have there.</summary>
    private sealed class ChoiceConverter<T>() : ValueConverter<T, string>(value => ChoiceName.Of(value), text => ChoiceName.Parse<T>(text))
        where T : struct, Enum;
}
