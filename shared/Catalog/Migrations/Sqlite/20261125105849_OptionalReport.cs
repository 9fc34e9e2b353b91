using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Distributed.Catalog.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class OptionalReport : Migration
    {
        private static readonly (string Name, string Type, string Empty)[] Columns =
        [
            ("report_path", "TEXT", "''"),
            ("report_length", "INTEGER", "0"),
            ("report_sha256", "TEXT", "''"),
        ];

        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            foreach (var (name, type, _) in Columns)
            {
                Replace(migrationBuilder, name, $"{type} NULL", name);
            }
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            foreach (var (name, type, empty) in Columns)
            {
                Replace(migrationBuilder, name, $"{type} NOT NULL DEFAULT {empty}", $"coalesce({name}, {empty})");
            }
        }

        /// <summary>SQLite cannot alter a column, and rebuilding the table, as EF Core would, cannot be done in a transaction: so another takes its place.</summary>
        private static void Replace(MigrationBuilder migrationBuilder, string name, string definition, string value)
        {
            migrationBuilder.Sql($"ALTER TABLE evaluations ADD COLUMN new_{name} {definition};");
            migrationBuilder.Sql($"UPDATE evaluations SET new_{name} = {value};");
            migrationBuilder.Sql($"ALTER TABLE evaluations DROP COLUMN {name};");
            migrationBuilder.Sql($"ALTER TABLE evaluations RENAME COLUMN new_{name} TO {name};");
        }
    }
}
