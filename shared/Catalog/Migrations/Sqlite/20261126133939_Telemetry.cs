using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Distributed.Catalog.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class Telemetry : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "failure_cause",
                table: "runs",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "span",
                table: "attempts",
                type: "TEXT",
                nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "failure_cause",
                table: "runs");

            migrationBuilder.DropColumn(
                name: "span",
                table: "attempts");
        }
    }
}
