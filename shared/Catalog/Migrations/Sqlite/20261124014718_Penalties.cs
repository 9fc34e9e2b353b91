using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Distributed.Catalog.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class Penalties : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<double>(
                name: "penalty",
                table: "epoch_metrics",
                type: "REAL",
                nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "penalty",
                table: "epoch_metrics");
        }
    }
}
