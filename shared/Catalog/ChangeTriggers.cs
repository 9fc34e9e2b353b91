using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>
/// What is recorded in <c>changes</c>. The database does it itself, in the transaction of the change and whoever makes it, so there is never
/// one without the other (see docs/adr/0011-changes-by-triggers.md).
/// </summary>
public static class ChangeTriggers
{
    /// <summary>The kind of the first change of a catalog.</summary>
    public const string Begin = "begin";

    private const string InsertBegin =
        "INSERT INTO changes (transaction_id, at, kind, data) SELECT 0, CURRENT_TIMESTAMP, 'begin', '{}' WHERE NOT EXISTS (SELECT 1 FROM changes)";

    /// <summary>Of a catalog that was restored into another server: the ids of its transactions lie ahead there.</summary>
    private const string DeleteOfOtherServer =
        "DELETE FROM changes WHERE transaction_id >= CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)";

    private const string PostgresNames =
        "SELECT t.tgname AS \"Value\" FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = to_regnamespace(current_schema()) AND starts_with(t.tgname, 'changes_')";

    private const string SqliteNames =
        "SELECT name AS \"Value\" FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, 8) = 'changes_'";

    private static readonly IReadOnlyList<ChangeTrigger> All =
    [
        new("runs", "INSERT", "run", [new("change", "'submitted'"), .. Run("NEW")]) { RunId = Text("NEW.id") },
        new("runs", "UPDATE", "run", [new("change", "CASE WHEN OLD.state <> NEW.state THEN 'moved' ELSE 'edited' END"), .. Run("NEW")])
        {
            Watched =
            [
                "state",
                "failure",
                "name",
                "tags",
                "deadline",
                "ingestion_key",
                "dataset_sha256",
                "feature_set_key",
                "train_images",
                "validation_images",
                "test_images",
            ],
            RunId = Text("NEW.id"),
        },
        new("runs", "DELETE", "run", [new("change", "'deleted'"), .. Run("OLD")]) { RunId = Text("OLD.id") },
        new(
            "evaluations",
            "INSERT",
            "result",
            Columns("test_images", "test_accuracy", "test_accuracy_low", "test_accuracy_high", "test_loss", "macro_f1")
        )
        {
            RunId = Text("NEW.run_id"),
        },
        new("dataset_predictions", "INSERT", "result", Columns("images")) { RunId = Text("NEW.run_id") },
        new("trials", "INSERT", "trial", Trial) { RunId = Text("NEW.run_id") },
        new("trials", "UPDATE", "trial", Trial) { Watched = ["validation_loss"], RunId = Text("NEW.run_id") },
        new(
            "epoch_metrics",
            "INSERT",
            "epoch",
            Columns("trial", "epoch", "penalty", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate")
        )
        {
            RunId = Text("NEW.run_id"),
        },
        new("jobs", "UPDATE", "progress", new ChangeField("job", "NEW.kind"), new("step", "NEW.step"), new("state", Camel("NEW.state")))
        {
            Watched = ["state"],
            Condition = "NEW.state IN ('Done', 'Failed', 'Blocked')",
            Scope = "NEW.scope",
            Job = "NEW.kind",
        },
        new(
            "downloads",
            "UPDATE",
            "progress",
            new ChangeField("job", "'DownloadFile'"),
            new("done", "NEW.bytes_done"),
            new("total", "NEW.bytes_total")
        )
        {
            Watched = ["bytes_done", "bytes_total"],
            Scope = "NEW.key",
        },
        new("attempts", "UPDATE", "waiting", new ChangeField("worker", "NEW.worker"), new("waitingFor", "NEW.waiting_for"))
        {
            Watched = ["waiting_for"],
            Scope = "(SELECT scope FROM jobs WHERE id = NEW.job_id)",
        },
        new("run_dependencies", "INSERT", "joined", Columns("scope")) { RunId = Text("NEW.run_id"), Scope = "NEW.scope" },
        new("models", "INSERT", "model", new ChangeField("change", "'created'"), new("model", "NEW.name")),
        new(
            "models",
            "UPDATE",
            "model",
            new ChangeField("change", "'described'"),
            new("model", "NEW.name"),
            new("description", "NEW.description")
        )
        {
            Watched = ["description"],
        },
        new("models", "DELETE", "model", new ChangeField("change", "'deleted'"), new("model", "OLD.name")),
        new(
            "model_versions",
            "INSERT",
            "model",
            new ChangeField("change", "'registered'"),
            new("model", "NEW.model_name"),
            new("version", "NEW.number"),
            new("by", "NEW.created_by")
        )
        {
            RunId = Text("NEW.run_id"),
        },
        new(
            "model_versions",
            "DELETE",
            "model",
            new ChangeField("change", "'versionDeleted'"),
            new("model", "OLD.model_name"),
            new("version", "OLD.number")
        )
        {
            RunId = Text("OLD.run_id"),
        },
        new(
            "alias_changes",
            "INSERT",
            "model",
            new ChangeField(
                "change",
                "CASE WHEN NEW.to_version IS NULL THEN 'aliasRemoved' WHEN NEW.is_rollback THEN 'rolledBack' ELSE 'promoted' END"
            ),
            new("model", "NEW.model_name"),
            new("alias", "NEW.alias"),
            new("from", "NEW.from_version"),
            new("to", "NEW.to_version"),
            new("reason", "NEW.reason"),
            new("by", "NEW.\"by\"")
        ),
        new("workers", "INSERT", "worker", [new("change", "'joined'"), .. Worker("NEW")]),
        new("workers", "UPDATE", "worker", [new("change", "'reported'"), .. Worker("NEW")]),
        new("workers", "DELETE", "worker", [new("change", "'left'"), .. Worker("OLD")]),
        new(
            "dead_letters",
            "INSERT",
            "deadLetter",
            new ChangeField("change", "'kept'"),
            new("letter", Text("NEW.id")),
            new("reason", "NEW.reason")
        )
        {
            Scope = "NEW.job_scope",
        },
        new("dead_letters", "UPDATE", "deadLetter", new ChangeField("change", "'requeued'"), new("letter", Text("NEW.id")))
        {
            Watched = ["requeued_at"],
            Scope = "NEW.job_scope",
        },
    ];

    private static IReadOnlyList<ChangeField> Trial => [new("trial", "NEW.number"), new("validationLoss", "NEW.validation_loss")];

    /// <summary>Brings the triggers of a catalog to those of this program. To be called by the owner of the tables, after each migration.</summary>
    internal static async Task ApplyAsync(CatalogContext context, CancellationToken cancellationToken)
    {
        var isPostgres = context.Database.IsNpgsql();
        var wanted = All.Select(trigger => isPostgres ? trigger.ForPostgres() : trigger.ForSqlite()).ToList();
        var there = await context.Database.SqlQueryRaw<string>(isPostgres ? PostgresNames : SqliteNames).ToListAsync(cancellationToken);
        List<string> statements =
        [
            .. there
                .Except(wanted.Select(trigger => trigger.Name), StringComparer.Ordinal)
                .Select(name => isPostgres ? $"DROP FUNCTION {name}() CASCADE;" : $"DROP TRIGGER {name};"),
            .. wanted.Where(trigger => !there.Contains(trigger.Name, StringComparer.Ordinal)).Select(trigger => trigger.Sql),
            .. isPostgres ? [DeleteOfOtherServer + ";"] : Array.Empty<string>(),
            InsertBegin + ";",
        ];
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await using var command = context.Database.GetDbConnection().CreateCommand();
        command.Transaction = Microsoft.EntityFrameworkCore.Storage.DbContextTransactionExtensions.GetDbTransaction(transaction);
        command.CommandText = string.Join('\n', statements);
        await command.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static IReadOnlyList<ChangeField> Run(string row) =>
        [
            new("state", Camel($"{row}.state")),
            new("name", $"{row}.name"),
            new("tags", $"{row}.tags", IsList: true),
            new("submitter", $"{row}.submitter"),
            new("model", $"{row}.model"),
            new("failure", $"{row}.failure"),
            new("failureCause", Camel($"{row}.failure_cause")),
            new("ingestionKey", $"{row}.ingestion_key"),
            new("datasetSha256", $"{row}.dataset_sha256"),
            new("featureSetKey", $"{row}.feature_set_key"),
            new("trainImages", $"{row}.train_images"),
            new("validationImages", $"{row}.validation_images"),
            new("testImages", $"{row}.test_images"),
        ];

    private static IReadOnlyList<ChangeField> Worker(string row) =>
        [
            new("name", $"{row}.name"),
            new("machine", $"{row}.machine"),
            new("service", $"{row}.service"),
            new("state", Camel($"{row}.state")),
            new("device", $"{row}.device"),
            new("imagesPerSecond", $"{row}.images_per_second"),
            new("processorShare", $"{row}.processor_share"),
            new("memoryBytes", $"{row}.memory_bytes"),
            new("gpuShare", $"{row}.gpu_share"),
            new("gpuMemoryBytes", $"{row}.gpu_memory_bytes"),
        ];

    /// <summary>Columns of the row that is inserted, under their names in camel case.</summary>
    private static IReadOnlyList<ChangeField> Columns(params IEnumerable<string> columns) =>
        [
            .. columns.Select(column => new ChangeField(
                string.Concat(
                    column.Split('_').Select((word, index) => index == 0 ? word : $"{char.ToUpperInvariant(word[0])}{word[1..]}")
                ),
                $"NEW.{column}"
            )),
        ];

    private static string Text(string expression) => $"CAST({expression} AS text)";

    /// <summary>A name as JSON has it.</summary>
    private static string Camel(string expression) => $"lower(substr({expression}, 1, 1)) || substr({expression}, 2)";
}
