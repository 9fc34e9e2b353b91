using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Distributed.Catalog;

/// <summary>What makes the list of runs quick: columns that the database derives from a run, and the indices of its usual orders.</summary>
internal static class RunListColumns
{
    /// <summary>The indices, of any database. An order is a range of one, so that a page reads as many rows as it shows.</summary>
    public static void AddIndices(EntityTypeBuilder<Run> run)
    {
        run.HasIndex(r => new { r.SubmittedAt, r.Id });
        run.HasIndex(r => new { r.FinishedAt, r.Id }, "ix_runs_finished_at_id");
        run.HasIndex(r => new { r.Seconds, r.Id });
        run.HasIndex(r => new { r.Name, r.Id });
        run.HasIndex(r => new { r.Backbone, r.SubmittedAt });
        run.HasIndex(r => new { r.DatasetSha256, r.SubmittedAt });
    }

    /// <summary>The indices of the metrics that lists are sorted by.</summary>
    public static void AddIndices(EntityTypeBuilder<Evaluation> evaluation)
    {
        evaluation.HasIndex(e => e.DatasetSha256);
        evaluation.HasIndex(e => new { e.TestAccuracy, e.RunId });
        evaluation.HasIndex(e => new { e.TestLoss, e.RunId });
        evaluation.HasIndex(e => new { e.MacroF1, e.RunId });
        evaluation.HasIndex(e => new { e.CalibrationError, e.RunId });
    }

    public static void MapPostgres(ModelBuilder model)
    {
        Map(
            model,
            field => $"json_extract_path_text(specification::json, {string.Join(", ", field.Split('.').Select(part => $"'{part}'"))})",
            "CASE WHEN finished_at >= submitted_at THEN EXTRACT(EPOCH FROM finished_at - submitted_at)::double precision END"
        );
        // Parts of names are found by the three letters that stand beside each other in them.
        model.HasPostgresExtension("pg_trgm");
        model.Entity<Run>().HasIndex(run => run.LowerName).HasMethod("gin").HasOperators("gin_trgm_ops");
        model.Entity<Run>().HasIndex(run => run.Tags).HasMethod("gin");
        // The best runs on a data set are sorted without a look at their rows.
        model
            .Entity<Evaluation>()
            .HasIndex(e => e.DatasetSha256)
            .IncludeProperties(e => new
            {
                e.RunId,
                e.TestAccuracy,
                e.TestLoss,
                e.MacroF1,
                e.CalibrationError,
            });
        // A page is read in less time than it takes to start a worker for it.
        model.Entity<Run>().HasStorageParameter("parallel_workers", 0);
        model.Entity<Evaluation>().HasStorageParameter("parallel_workers", 0);
    }

    public static void MapSqlite(ModelBuilder model) =>
        Map(
            model,
            field => $"json_extract(specification, '$.{field}')",
            "CASE WHEN finished_at >= submitted_at THEN (julianday(finished_at) - julianday(submitted_at)) * 86400.0 END"
        );

    private static void Map(ModelBuilder model, Func<string, string> setting, string seconds)
    {
        var run = model.Entity<Run>();
        run.Property(r => r.LowerName).HasComputedColumnSql("lower(name)", stored: true);
        run.Property(r => r.Dataset).HasComputedColumnSql(setting("dataset"), stored: true);
        // A path may be longer than what an index takes.
        run.Property(r => r.Backbone).HasComputedColumnSql($"substr({setting("backbone")}, 1, 600)", stored: true);
        run.Property(r => r.HeadKind).HasComputedColumnSql(setting("head.kind"), stored: true);
        run.Property(r => r.Seconds).HasComputedColumnSql(seconds, stored: true);
    }
}
