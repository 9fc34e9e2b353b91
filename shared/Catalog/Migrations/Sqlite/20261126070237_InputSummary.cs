using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Distributed.Catalog.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class InputSummary : Migration
    {
        private static readonly (string Table, string Name)[] Shares =
        [
            ("evaluations", "top_k_accuracy"),
            ("class_metrics", "precision"),
            ("class_metrics", "recall"),
            ("class_metrics", "f1"),
        ];

        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // EF Core would rebuild the tables for all but the two additions, which cannot be done in a transaction.
            migrationBuilder.Sql("ALTER TABLE datasets DROP COLUMN quarantined_count;");
            migrationBuilder.AddColumn<int>(name: "skipped_count", table: "ingestions", type: "INTEGER", nullable: true);
            migrationBuilder.AddColumn<string>(name: "summary", table: "ingestions", type: "TEXT", nullable: true);
            foreach (var (table, name) in Shares)
            {
                Replace(migrationBuilder, table, name, "REAL NULL", name);
            }

            migrationBuilder.Sql("UPDATE class_metrics SET recall = NULL WHERE support = 0;");
            migrationBuilder.Sql("UPDATE evaluations SET top_k_accuracy = NULL WHERE top_k >= (SELECT count(*) FROM class_metrics WHERE class_metrics.run_id = evaluations.run_id);");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("UPDATE evaluations SET top_k_accuracy = 1 WHERE top_k_accuracy IS NULL;");
            foreach (var (table, name) in Shares)
            {
                Replace(migrationBuilder, table, name, "REAL NOT NULL DEFAULT 0", $"coalesce({name}, 0)");
            }

            migrationBuilder.Sql("ALTER TABLE ingestions DROP COLUMN skipped_count;");
            migrationBuilder.Sql("ALTER TABLE ingestions DROP COLUMN summary;");
            migrationBuilder.AddColumn<int>(name: "quarantined_count", table: "datasets", type: "INTEGER", nullable: false, defaultValue: 0);
        }

        private static void Replace(MigrationBuilder migrationBuilder, string table, string name, string definition, string value)
        {
            migrationBuilder.Sql($"ALTER TABLE {table} ADD COLUMN new_{name} {definition};");
            migrationBuilder.Sql($"UPDATE {table} SET new_{name} = {value};");
            migrationBuilder.Sql($"ALTER TABLE {table} DROP COLUMN {name};");
            migrationBuilder.Sql($"ALTER TABLE {table} RENAME COLUMN new_{name} TO {name};");
        }
    }
}
