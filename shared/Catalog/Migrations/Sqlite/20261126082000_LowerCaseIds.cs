using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Distributed.Catalog.Migrations.Sqlite
{
    /// <summary>Ids in small letters, as everywhere else. The types of the columns stay.</summary>
    [DbContext(typeof(SqliteCatalogContext))]
    [Migration("20261126082000_LowerCaseIds")]
    public partial class LowerCaseIds : Migration
    {
        private static readonly (string Table, string Name)[] Ids =
        [
            ("attempts", "token"),
            ("audit_log", "id"),
            ("checkpoints", "run_id"),
            ("class_metrics", "run_id"),
            ("epoch_metrics", "run_id"),
            ("evaluations", "run_id"),
            ("installation", "volume_id"),
            ("run_dependencies", "run_id"),
            ("runs", "id"),
            ("work_units", "attempt"),
        ];

        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder) => Change(migrationBuilder, "lower");

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder) => Change(migrationBuilder, "upper");

        private static void Change(MigrationBuilder migrationBuilder, string letters)
        {
            // Rows and those that refer to them change one after the other, in one transaction.
            migrationBuilder.Sql("PRAGMA defer_foreign_keys = ON;");
            foreach (var (table, name) in Ids)
            {
                migrationBuilder.Sql($"UPDATE {table} SET {name} = {letters}({name});");
            }
        }
    }
}
