using System.Security.Cryptography;
using System.Text;

namespace Distributed.Catalog;

/// <summary>A field of what a change says.</summary>
/// <param name="Name">Its name in JSON.</param>
/// <param name="Expression">SQL over NEW and OLD, the same for all providers.</param>
/// <param name="IsList">Whether it is a list of texts.</param>
internal sealed record ChangeField(string Name, string Expression, bool IsList = false);

/// <summary>Which changes of a table's rows are recorded, and what is said of them.</summary>
/// <param name="Table">The table.</param>
/// <param name="Event">INSERT, UPDATE or DELETE.</param>
/// <param name="Kind">What changes.</param>
/// <param name="Fields">What is said.</param>
internal sealed record ChangeTrigger(string Table, string Event, string Kind, params IReadOnlyList<ChangeField> Fields)
{
    /// <summary>Prefix of the names of all of them in the database.</summary>
    public const string Prefix = "changes_";

    private const string Nothing = "NULL";

    /// <summary>Columns of which one must differ, for an update.</summary>
    public IReadOnlyList<string> Watched { get; init; } = [];

    /// <summary>What else must hold.</summary>
    public string? Condition { get; init; }

    /// <summary>The run, as text.</summary>
    public string RunId { get; init; } = Nothing;

    /// <summary>The scope.</summary>
    public string Scope { get; init; } = Nothing;

    /// <summary>The kind of job to count.</summary>
    public string Job { get; init; } = Nothing;

    /// <summary>The statements that make it in Postgres.</summary>
    public (string Name, string Sql) ForPostgres()
    {
        var record =
            "INSERT INTO changes (transaction_id, at, kind, run_id, scope, job, data) VALUES "
            + "(CAST(CAST(pg_current_xact_id() AS text) AS bigint), clock_timestamp(), "
            + $"'{Kind}', {RunId}, {Scope}, {Job}, CAST(json_build_object({Pairs(list: "to_json({0})")}) AS text))";
        var when = Conditions("IS DISTINCT FROM") is { Length: > 0 } conditions ? $" WHEN ({conditions})" : "";
        var name = NameOf(record + when);
        return (
            name,
            $"""
            CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {record}; RETURN NULL; END $$;
            CREATE TRIGGER {name} AFTER {Event} ON {Table} FOR EACH ROW{when} EXECUTE FUNCTION {name}();
            """
        );
    }

    /// <summary>The statement that makes it in SQLite.</summary>
    public (string Name, string Sql) ForSqlite()
    {
        var record =
            "INSERT INTO changes (transaction_id, at, kind, run_id, scope, job, data) VALUES "
            + "(0, strftime('%Y-%m-%d %H:%M:%f', 'now'), "
            + $"'{Kind}', {RunId}, {Scope}, {Job}, json_object({Pairs(list: "json({0})")}))";
        var when = Conditions("IS NOT") is { Length: > 0 } conditions ? $" WHEN {conditions}" : "";
        var name = NameOf(record + when);
        return (name, $"CREATE TRIGGER {name} AFTER {Event} ON {Table} FOR EACH ROW{when} BEGIN {record}; END;");
    }

    /// <summary>Names a version of it, so that one that a change of the program has changed is made again.</summary>
    private string NameOf(string sql) =>
        $"{Prefix}{Table}_{Event}_{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sql)))[..8]}".ToLowerInvariant();

    private string Pairs(string list) =>
        string.Join(
            ", ",
            Fields.Select(field =>
                $"'{field.Name}', {(field.IsList ? list.Replace("{0}", field.Expression, StringComparison.Ordinal) : field.Expression)}"
            )
        );

    private string Conditions(string differs)
    {
        var watched = string.Join(" OR ", Watched.Select(column => $"OLD.{column} {differs} NEW.{column}"));
        return string.Join(" AND ", new[] { watched, Condition }.Where(one => !string.IsNullOrEmpty(one)).Select(one => $"({one})"));
    }
}
