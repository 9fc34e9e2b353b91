using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Distributed.Catalog.Migrations.Postgres
{
    /// <inheritdoc />
    public partial class OpenUnits : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateIndex(
                name: "ix_work_units_subject_not_done",
                table: "work_units",
                column: "subject",
                filter: "state <> 'Done'");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_work_units_subject_not_done",
                table: "work_units");
        }
    }
}
