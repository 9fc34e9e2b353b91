using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Distributed.Catalog.Migrations.Postgres
{
    /// <inheritdoc />
    public partial class QueuedRuns : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_runs_feature_set_key",
                table: "runs");

            migrationBuilder.CreateIndex(
                name: "ix_runs_deadline",
                table: "runs",
                column: "deadline",
                filter: "finished_at IS NULL AND deadline IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_runs_feature_set_key_state",
                table: "runs",
                columns: new[] { "feature_set_key", "state" });

            migrationBuilder.CreateIndex(
                name: "ix_runs_finished_at",
                table: "runs",
                column: "finished_at",
                filter: "finished_at IS NOT NULL AND announced_at IS NULL");

            migrationBuilder.CreateIndex(
                name: "ix_runs_ingestion_key_state",
                table: "runs",
                columns: new[] { "ingestion_key", "state" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_runs_deadline",
                table: "runs");

            migrationBuilder.DropIndex(
                name: "ix_runs_feature_set_key_state",
                table: "runs");

            migrationBuilder.DropIndex(
                name: "ix_runs_finished_at",
                table: "runs");

            migrationBuilder.DropIndex(
                name: "ix_runs_ingestion_key_state",
                table: "runs");

            migrationBuilder.CreateIndex(
                name: "ix_runs_feature_set_key",
                table: "runs",
                column: "feature_set_key");
        }
    }
}
