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
            migrationBuilder.AlterColumn<double>(
                name: "learning_rate",
                table: "epoch_metrics",
                type: "REAL",
                nullable: true,
                oldClrType: typeof(double),
                oldType: "REAL");

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

            migrationBuilder.AlterColumn<double>(
                name: "learning_rate",
                table: "epoch_metrics",
                type: "REAL",
                nullable: false,
                defaultValue: 0.0,
                oldClrType: typeof(double),
                oldType: "REAL",
                oldNullable: true);
        }
    }
}
