using System.Data.Common;
using System.Globalization;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>A change as it was read.</summary>
/// <param name="Position">Where it stands.</param>
/// <param name="At">When it was made (UTC).</param>
/// <param name="Kind">What changed.</param>
/// <param name="RunId">The run (format D).</param>
/// <param name="Scope">The scope of jobs.</param>
/// <param name="Job">The kind of job whose progress it tells.</param>
/// <param name="Data">JSON: how what changed stands since.</param>
/// <param name="Done">
/// Jobs of that kind and scope that are done, at the moment of reading; null in all changes but the last that is read of a kind and scope.
/// </param>
/// <param name="Total">Jobs of that kind and scope.</param>
public sealed record ChangeRow(
    ChangePosition Position,
    DateTime At,
    string Kind,
    string? RunId,
    string? Scope,
    string? Job,
    string Data,
    long? Done,
    long? Total
);

/// <summary>Reads changes in their order, by one query each time.</summary>
public static class ChangeReader
{
    /// <summary>
    /// In Postgres the changes of transactions that ended before all that are still open: what becomes visible later stands after them,
    /// so that nothing is ever inserted before what was read. A transaction of any session that stays open holds up those after it.
    /// </summary>
    private const string SettledInPostgres = "transaction_id < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)";

    /// <summary>SQLite has one writer at a time.</summary>
    private const string SettledInSqlite = "1 = 1";

    /// <summary>The changes that may be read: whatever becomes visible later stands after all of them.</summary>
    public static IQueryable<Change> SettledChanges(this CatalogContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Database.IsNpgsql()
            ? context.Changes.FromSqlRaw($"SELECT * FROM changes WHERE {SettledInPostgres}").AsNoTracking()
            : context.Changes.AsNoTracking();
    }

    /// <summary>Those of some changes that stand after a position.</summary>
    public static IQueryable<Change> After(this IQueryable<Change> changes, ChangePosition position)
    {
        var (transaction, id) = (position.TransactionId, position.Id);
        // The first half alone is a range of the index.
        return changes.Where(change => change.TransactionId >= transaction && (change.TransactionId > transaction || change.Id > id));
    }

    /// <summary>Those of some changes that stand before a position.</summary>
    public static IQueryable<Change> Before(this IQueryable<Change> changes, ChangePosition position)
    {
        var (transaction, id) = (position.TransactionId, position.Id);
        return changes.Where(change => change.TransactionId <= transaction && (change.TransactionId < transaction || change.Id < id));
    }

    /// <summary>The position of the latest of some changes; null where there is none.</summary>
    public static async Task<ChangePosition?> LatestAsync(this IQueryable<Change> changes, CancellationToken cancellationToken)
    {
        var found = await changes
            .OrderByDescending(change => change.TransactionId)
            .ThenByDescending(change => change.Id)
            .Select(change => new { change.TransactionId, change.Id })
            .FirstOrDefaultAsync(cancellationToken);
        return found is null ? null : new ChangePosition(found.TransactionId, found.Id);
    }

    /// <summary>Reads the latest changes.</summary>
    /// <param name="context">The catalog.</param>
    /// <param name="from">From which on, with this one; null for the latest alone.</param>
    /// <param name="most">Most to read: the latest, where there are more.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <returns>The changes in their order. Where the first is not <paramref name="from"/>, that is too far back or is not of this catalog.</returns>
    public static async Task<IReadOnlyList<ChangeRow>> ReadAsync(
        CatalogContext context,
        ChangePosition? from,
        int most,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(context);
        await context.Database.OpenConnectionAsync(cancellationToken);
        try
        {
            await using var command = context.Database.GetDbConnection().CreateCommand();
            Write(command, context.Database.IsNpgsql() ? SettledInPostgres : SettledInSqlite, from, from is null ? 1 : most);
            var rows = new List<ChangeRow>();
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                rows.Add(
                    new ChangeRow(
                        new ChangePosition(reader.GetInt64(0), reader.GetInt64(1)),
                        DateTime.SpecifyKind(reader.GetDateTime(2), DateTimeKind.Utc),
                        reader.GetString(3),
                        Text(reader, 4),
                        Text(reader, 5),
                        Text(reader, 6),
                        reader.GetString(7),
                        Number(reader, 8),
                        Number(reader, 9)
                    )
                );
            }

            return rows;
        }
        finally
        {
            await context.Database.CloseConnectionAsync();
        }
    }

    private static void Write(DbCommand command, string settled, ChangePosition? from, int most)
    {
        var range = from is null ? "" : "AND (transaction_id, id) >= (@transaction, @id)";
        command.CommandText = $"""
            WITH latest AS (
                SELECT transaction_id, id, at, kind, run_id, scope, job, data FROM changes
                WHERE {settled} {range}
                ORDER BY transaction_id DESC, id DESC LIMIT {most.ToString(CultureInfo.InvariantCulture)}
            ), numbered AS (
                SELECT latest.*, row_number() OVER (PARTITION BY scope, job ORDER BY transaction_id DESC, id DESC) AS place FROM latest
            )
            SELECT transaction_id, id, at, kind, run_id, scope, job, data,
                CASE WHEN job IS NOT NULL AND place = 1 THEN
                    (SELECT count(*) FROM jobs WHERE jobs.scope = numbered.scope AND jobs.kind = numbered.job AND jobs.state = 'Done') END,
                CASE WHEN job IS NOT NULL AND place = 1 THEN
                    (SELECT count(*) FROM jobs WHERE jobs.scope = numbered.scope AND jobs.kind = numbered.job) END
            FROM numbered ORDER BY transaction_id, id
            """;
        if (from is { } position)
        {
            Add(command, "@transaction", position.TransactionId);
            Add(command, "@id", position.Id);
        }
    }

    private static void Add(DbCommand command, string name, long value)
    {
        var parameter = command.CreateParameter();
        (parameter.ParameterName, parameter.Value) = (name, value);
        command.Parameters.Add(parameter);
    }

    private static string? Text(DbDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    private static long? Number(DbDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetInt64(column);
}
