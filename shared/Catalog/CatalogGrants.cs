using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Catalog;

/// <summary>
/// What the hosts' own database users may do: read and write rows, and no more. Only AdminApi's may see the keys to the API,
/// and it may add to the audit log but neither change nor delete what stands there. The schema belongs to the user that migrates.
/// </summary>
public static partial class CatalogGrants
{
    private const string Rows = "SELECT, INSERT, UPDATE, DELETE";

    /// <summary>Grants what the present schema needs, and takes away what is more. To be called by the owner of the tables, after each migration.</summary>
    /// <param name="context">A Postgres catalog, as its owner.</param>
    /// <param name="apiRole">The user of AdminApi.</param>
    /// <param name="workerRole">The user of the other hosts.</param>
    /// <param name="cancellationToken">Stops it; nothing is changed then.</param>
    /// <exception cref="ArgumentException">A name is not made of lower-case letters, digits and underscores.</exception>
    public static async Task ApplyAsync(CatalogContext context, string apiRole, string workerRole, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        ThrowIfNoName(apiRole);
        ThrowIfNoName(workerRole);
        var statements = new List<string>
        {
            $"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {apiRole}, {workerRole}",
            // To see whether the schema is this program's.
            $"""GRANT SELECT ON "__EFMigrationsHistory" TO {apiRole}, {workerRole}""",
        };
        foreach (var entity in context.Model.GetEntityTypes())
        {
            var table = entity.GetTableName()!;
            statements.AddRange(
                entity.ClrType switch
                {
                    var type when type == typeof(AuditEntry) => [$"GRANT SELECT, INSERT ON {table} TO {apiRole}"],
                    var type when type == typeof(ApiKey) => [$"GRANT SELECT, INSERT, UPDATE ON {table} TO {apiRole}"],
                    // Triggers add to it, as whoever makes the change.
                    var type when type == typeof(Change) =>
                    [
                        $"GRANT {Rows} ON {table} TO {apiRole}",
                        $"GRANT INSERT ON {table} TO {workerRole}",
                    ],
                    // With the keys of signatures.
                    var type when type == typeof(Webhook) || type == typeof(WebhookDelivery) || type == typeof(WebhookCursor) =>
                    [
                        $"GRANT {Rows} ON {table} TO {apiRole}",
                    ],
                    // Only AdminApi begins volumes.
                    var type when type == typeof(Installation) =>
                    [
                        $"GRANT {Rows} ON {table} TO {apiRole}",
                        $"GRANT SELECT ON {table} TO {workerRole}",
                    ],
                    _ => (string[])[$"GRANT {Rows} ON {table} TO {apiRole}, {workerRole}"],
                }
            );
        }

        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await context.Database.ExecuteSqlRawAsync(string.Join(";\n", statements), cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static void ThrowIfNoName(string role)
    {
        if (!RoleName().IsMatch(role))
        {
            throw new ArgumentException(
                $"'{role}' is no name of a database role here; give lower-case letters, digits and underscores.",
                nameof(role)
            );
        }
    }

    [GeneratedRegex("^[a-z_][a-z0-9_]{0,62}$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex RoleName();
}
