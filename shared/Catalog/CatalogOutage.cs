using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Distributed.Catalog;

/// <summary>Recognises whether an error is the database's absence, which passes, rather than a mistake, which does not.</summary>
public static class CatalogOutage
{
    // Result codes of sqlite3.h: BUSY, LOCKED, IOERR, FULL, CANTOPEN.
    private static readonly int[] SqliteOutages = [5, 6, 10, 13, 14];

    /// <summary>Whether to wait and try again.</summary>
    public static bool Is(Exception exception)
    {
        for (var current = exception; current is not null; current = current.InnerException)
        {
            var outage = current switch
            {
                // Class 08 is connection, 53 resources, 57 operator intervention, 40 serialisation and deadlock.
                PostgresException postgres => postgres.IsTransient || postgres.SqlState[..2] is "08" or "53" or "57" or "40",
                NpgsqlException => true,
                SqliteException sqlite => SqliteOutages.Contains(sqlite.SqliteErrorCode),
                DbException database => database.IsTransient,
                _ => false,
            };
            if (outage)
            {
                return true;
            }
        }

        return false;
    }
}
