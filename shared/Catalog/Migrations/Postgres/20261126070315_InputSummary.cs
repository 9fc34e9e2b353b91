using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Distributed.Catalog.Migrations.Postgres
{
    /// <inheritdoc />
    public partial class InputSummary : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "quarantined_count",
                table: "datasets");

            migrationBuilder.AddColumn<int>(
                name: "skipped_count",
                table: "ingestions",
                type: "integer",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "summary",
                table: "ingestions",
                type: "text",
                nullable: true);

            migrationBuilder.AlterColumn<double>(
                name: "top_k_accuracy",
                table: "evaluations",
                type: "double precision",
                nullable: true,
                oldClrType: typeof(double),
                oldType: "double precision");

            migrationBuilder.AlterColumn<double>(
                name: "recall",
                table: "class_metrics",
                type: "double precision",
                nullable: true,
                oldClrType: typeof(double),
                oldType: "double precision");

            migrationBuilder.AlterColumn<double>(
                name: "precision",
                table: "class_metrics",
                type: "double precision",
                nullable: true,
                oldClrType: typeof(double),
                oldType: "double precision");

            migrationBuilder.AlterColumn<double>(
                name: "f1",
                table: "class_metrics",
                type: "double precision",
                nullable: true,
                oldClrType: typeof(double),
                oldType: "double precision");

            migrationBuilder.Sql("UPDATE class_metrics SET recall = NULL WHERE support = 0;");
            migrationBuilder.Sql("UPDATE evaluations SET top_k_accuracy = NULL WHERE top_k >= (SELECT count(*) FROM class_metrics WHERE class_metrics.run_id = evaluations.run_id);");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("UPDATE evaluations SET top_k_accuracy = 1 WHERE top_k_accuracy IS NULL;");

            migrationBuilder.DropColumn(
                name: "skipped_count",
                table: "ingestions");

            migrationBuilder.DropColumn(
                name: "summary",
                table: "ingestions");

            migrationBuilder.AlterColumn<double>(
                name: "top_k_accuracy",
                table: "evaluations",
                type: "double precision",
                nullable: false,
                defaultValue: 0.0,
                oldClrType: typeof(double),
                oldType: "double precision",
                oldNullable: true);

            migrationBuilder.AddColumn<int>(
                name: "quarantined_count",
                table: "datasets",
                type: "integer",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.AlterColumn<double>(
                name: "recall",
                table: "class_metrics",
                type: "double precision",
                nullable: false,
                defaultValue: 0.0,
                oldClrType: typeof(double),
                oldType: "double precision",
                oldNullable: true);

            migrationBuilder.AlterColumn<double>(
                name: "precision",
                table: "class_metrics",
                type: "double precision",
                nullable: false,
                defaultValue: 0.0,
                oldClrType: typeof(double),
                oldType: "double precision",
                oldNullable: true);

            migrationBuilder.AlterColumn<double>(
                name: "f1",
                table: "class_metrics",
                type: "double precision",
                nullable: false,
                defaultValue: 0.0,
                oldClrType: typeof(double),
                oldType: "double precision",
                oldNullable: true);
        }
    }
}
