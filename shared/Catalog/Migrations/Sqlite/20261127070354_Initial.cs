using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Distributed.Catalog.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class Initial : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "alias_changes",
                columns: table => new
                {
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    model_name = table.Column<string>(type: "TEXT", nullable: false),
                    alias = table.Column<string>(type: "TEXT", nullable: false),
                    from_version = table.Column<int>(type: "INTEGER", nullable: true),
                    to_version = table.Column<int>(type: "INTEGER", nullable: true),
                    is_rollback = table.Column<bool>(type: "INTEGER", nullable: false),
                    reason = table.Column<string>(type: "TEXT", nullable: true),
                    at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    by = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_alias_changes", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "api_keys",
                columns: table => new
                {
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    name = table.Column<string>(type: "TEXT", nullable: false),
                    role = table.Column<string>(type: "TEXT", nullable: false),
                    secret_sha256 = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    last_used_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    revoked_at = table.Column<DateTime>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_api_keys", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "audit_log",
                columns: table => new
                {
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    actor_kind = table.Column<string>(type: "TEXT", nullable: false),
                    actor = table.Column<string>(type: "TEXT", nullable: false),
                    action = table.Column<string>(type: "TEXT", nullable: false),
                    subject = table.Column<string>(type: "TEXT", nullable: false),
                    detail = table.Column<string>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_audit_log", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "backbones",
                columns: table => new
                {
                    sha256 = table.Column<string>(type: "TEXT", nullable: false),
                    source = table.Column<string>(type: "TEXT", nullable: false),
                    architecture = table.Column<string>(type: "TEXT", nullable: false),
                    origin = table.Column<string>(type: "TEXT", nullable: false),
                    seed = table.Column<int>(type: "INTEGER", nullable: true),
                    settings = table.Column<string>(type: "TEXT", nullable: true),
                    parts = table.Column<string>(type: "TEXT", nullable: true),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    file_length = table.Column<long>(type: "INTEGER", nullable: true),
                    file_path = table.Column<string>(type: "TEXT", nullable: true),
                    file_sha256 = table.Column<string>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_backbones", x => x.sha256);
                });

            migrationBuilder.CreateTable(
                name: "changes",
                columns: table => new
                {
                    id = table.Column<long>(type: "INTEGER", nullable: false)
                        .Annotation("Sqlite:Autoincrement", true),
                    transaction_id = table.Column<long>(type: "INTEGER", nullable: false),
                    at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    kind = table.Column<string>(type: "TEXT", nullable: false),
                    run_id = table.Column<string>(type: "TEXT", nullable: true),
                    scope = table.Column<string>(type: "TEXT", nullable: true),
                    job = table.Column<string>(type: "TEXT", nullable: true),
                    data = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_changes", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "dataset_audits",
                columns: table => new
                {
                    key = table.Column<string>(type: "TEXT", nullable: false),
                    feature_set_key = table.Column<string>(type: "TEXT", nullable: false),
                    judged_labels = table.Column<int>(type: "INTEGER", nullable: true),
                    doubted_labels = table.Column<int>(type: "INTEGER", nullable: true),
                    near_duplicates = table.Column<int>(type: "INTEGER", nullable: true),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    file_length = table.Column<long>(type: "INTEGER", nullable: false),
                    file_path = table.Column<string>(type: "TEXT", nullable: false),
                    file_sha256 = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_dataset_audits", x => x.key);
                });

            migrationBuilder.CreateTable(
                name: "datasets",
                columns: table => new
                {
                    sha256 = table.Column<string>(type: "TEXT", nullable: false),
                    name = table.Column<string>(type: "TEXT", nullable: false),
                    source = table.Column<string>(type: "TEXT", nullable: false),
                    image_count = table.Column<int>(type: "INTEGER", nullable: false),
                    class_names = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    manifest_length = table.Column<long>(type: "INTEGER", nullable: false),
                    manifest_path = table.Column<string>(type: "TEXT", nullable: false),
                    manifest_sha256 = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_datasets", x => x.sha256);
                });

            migrationBuilder.CreateTable(
                name: "dead_letters",
                columns: table => new
                {
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    reason = table.Column<string>(type: "TEXT", nullable: false),
                    queue = table.Column<string>(type: "TEXT", nullable: true),
                    job_kind = table.Column<string>(type: "TEXT", nullable: true),
                    job_scope = table.Column<string>(type: "TEXT", nullable: true),
                    job_step = table.Column<int>(type: "INTEGER", nullable: true),
                    body = table.Column<byte[]>(type: "BLOB", nullable: true),
                    content_type = table.Column<string>(type: "TEXT", nullable: true),
                    requeued_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    requeued_by = table.Column<string>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_dead_letters", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "downloads",
                columns: table => new
                {
                    key = table.Column<string>(type: "TEXT", nullable: false),
                    url = table.Column<string>(type: "TEXT", nullable: false),
                    path = table.Column<string>(type: "TEXT", nullable: false),
                    bytes_done = table.Column<long>(type: "INTEGER", nullable: false),
                    bytes_total = table.Column<long>(type: "INTEGER", nullable: true),
                    completed_at = table.Column<DateTime>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_downloads", x => x.key);
                });

            migrationBuilder.CreateTable(
                name: "feature_maps",
                columns: table => new
                {
                    feature_set_key = table.Column<string>(type: "TEXT", nullable: false),
                    version = table.Column<string>(type: "TEXT", nullable: false),
                    points = table.Column<int>(type: "INTEGER", nullable: false),
                    seconds = table.Column<double>(type: "REAL", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    file_length = table.Column<long>(type: "INTEGER", nullable: false),
                    file_path = table.Column<string>(type: "TEXT", nullable: false),
                    file_sha256 = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_feature_maps", x => x.feature_set_key);
                });

            migrationBuilder.CreateTable(
                name: "feature_sets",
                columns: table => new
                {
                    key = table.Column<string>(type: "TEXT", nullable: false),
                    dataset_sha256 = table.Column<string>(type: "TEXT", nullable: false),
                    ingestion_key = table.Column<string>(type: "TEXT", nullable: false),
                    backbone_sha256 = table.Column<string>(type: "TEXT", nullable: false),
                    preprocessing = table.Column<string>(type: "TEXT", nullable: false),
                    precision = table.Column<string>(type: "TEXT", nullable: false),
                    extractor_version = table.Column<int>(type: "INTEGER", nullable: false),
                    input_size = table.Column<int>(type: "INTEGER", nullable: false),
                    flip = table.Column<bool>(type: "INTEGER", nullable: false),
                    crops = table.Column<string>(type: "TEXT", nullable: false),
                    batch_size = table.Column<int>(type: "INTEGER", nullable: false),
                    image_count = table.Column<int>(type: "INTEGER", nullable: false),
                    feature_size = table.Column<int>(type: "INTEGER", nullable: false),
                    shard_size = table.Column<int>(type: "INTEGER", nullable: false),
                    shard_count = table.Column<int>(type: "INTEGER", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_feature_sets", x => x.key);
                });

            migrationBuilder.CreateTable(
                name: "feature_shards",
                columns: table => new
                {
                    feature_set_key = table.Column<string>(type: "TEXT", nullable: false),
                    shard = table.Column<int>(type: "INTEGER", nullable: false),
                    image_count = table.Column<int>(type: "INTEGER", nullable: false),
                    seconds = table.Column<double>(type: "REAL", nullable: false),
                    worker = table.Column<string>(type: "TEXT", nullable: false),
                    file_length = table.Column<long>(type: "INTEGER", nullable: false),
                    file_path = table.Column<string>(type: "TEXT", nullable: false),
                    file_sha256 = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_feature_shards", x => new { x.feature_set_key, x.shard });
                });

            migrationBuilder.CreateTable(
                name: "ingestions",
                columns: table => new
                {
                    key = table.Column<string>(type: "TEXT", nullable: false),
                    source = table.Column<string>(type: "TEXT", nullable: false),
                    square_size = table.Column<int>(type: "INTEGER", nullable: false),
                    fit = table.Column<string>(type: "TEXT", nullable: false),
                    crop_share = table.Column<double>(type: "REAL", nullable: false),
                    resampling = table.Column<string>(type: "TEXT", nullable: false),
                    decoding = table.Column<string>(type: "TEXT", nullable: false),
                    entry_count = table.Column<int>(type: "INTEGER", nullable: false),
                    part_size = table.Column<int>(type: "INTEGER", nullable: false),
                    part_count = table.Column<int>(type: "INTEGER", nullable: false),
                    dataset_sha256 = table.Column<string>(type: "TEXT", nullable: true),
                    skipped_count = table.Column<int>(type: "INTEGER", nullable: true),
                    summary = table.Column<string>(type: "TEXT", nullable: true),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    completed_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    file_index_length = table.Column<long>(type: "INTEGER", nullable: false),
                    file_index_path = table.Column<string>(type: "TEXT", nullable: false),
                    file_index_sha256 = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_ingestions", x => x.key);
                });

            migrationBuilder.CreateTable(
                name: "installation",
                columns: table => new
                {
                    id = table.Column<int>(type: "INTEGER", nullable: false),
                    volume_id = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_installation", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "jobs",
                columns: table => new
                {
                    id = table.Column<long>(type: "INTEGER", nullable: false)
                        .Annotation("Sqlite:Autoincrement", true),
                    kind = table.Column<string>(type: "TEXT", nullable: false),
                    scope = table.Column<string>(type: "TEXT", nullable: false),
                    step = table.Column<int>(type: "INTEGER", nullable: false),
                    state = table.Column<string>(type: "TEXT", nullable: false),
                    attempt = table.Column<string>(type: "TEXT", nullable: true),
                    lease_until = table.Column<DateTime>(type: "TEXT", nullable: true),
                    attempts = table.Column<int>(type: "INTEGER", nullable: false),
                    last_error = table.Column<string>(type: "TEXT", nullable: true),
                    dispatched_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    trace_parent = table.Column<string>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_jobs", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "models",
                columns: table => new
                {
                    name = table.Column<string>(type: "TEXT", nullable: false),
                    description = table.Column<string>(type: "TEXT", nullable: true),
                    revision = table.Column<int>(type: "INTEGER", nullable: false),
                    latest_number = table.Column<int>(type: "INTEGER", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_models", x => x.name);
                });

            migrationBuilder.CreateTable(
                name: "packed_parts",
                columns: table => new
                {
                    ingestion_key = table.Column<string>(type: "TEXT", nullable: false),
                    part = table.Column<int>(type: "INTEGER", nullable: false),
                    image_count = table.Column<int>(type: "INTEGER", nullable: false),
                    pixels_length = table.Column<long>(type: "INTEGER", nullable: false),
                    pixels_path = table.Column<string>(type: "TEXT", nullable: false),
                    pixels_sha256 = table.Column<string>(type: "TEXT", nullable: false),
                    records_length = table.Column<long>(type: "INTEGER", nullable: false),
                    records_path = table.Column<string>(type: "TEXT", nullable: false),
                    records_sha256 = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_packed_parts", x => new { x.ingestion_key, x.part });
                });

            migrationBuilder.CreateTable(
                name: "runs",
                columns: table => new
                {
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    name = table.Column<string>(type: "TEXT", nullable: true),
                    lower_name = table.Column<string>(type: "TEXT", nullable: true, computedColumnSql: "lower(name)", stored: true),
                    tags = table.Column<string>(type: "TEXT", nullable: false),
                    note = table.Column<string>(type: "TEXT", nullable: true),
                    revision = table.Column<int>(type: "INTEGER", nullable: false),
                    submitter = table.Column<string>(type: "TEXT", nullable: true),
                    idempotency_key = table.Column<string>(type: "TEXT", nullable: true),
                    specification = table.Column<string>(type: "TEXT", nullable: false),
                    dataset = table.Column<string>(type: "TEXT", nullable: true, computedColumnSql: "json_extract(specification, '$.dataset')", stored: true),
                    backbone = table.Column<string>(type: "TEXT", nullable: true, computedColumnSql: "substr(json_extract(specification, '$.backbone'), 1, 600)", stored: true),
                    head_kind = table.Column<string>(type: "TEXT", nullable: true, computedColumnSql: "json_extract(specification, '$.head.kind')", stored: true),
                    model = table.Column<string>(type: "TEXT", nullable: true),
                    model_run_id = table.Column<string>(type: "TEXT", nullable: true),
                    candidates = table.Column<string>(type: "TEXT", nullable: true),
                    chosen_backbone = table.Column<string>(type: "TEXT", nullable: true),
                    priority = table.Column<string>(type: "TEXT", nullable: false, defaultValue: "Interactive"),
                    state = table.Column<string>(type: "TEXT", nullable: false),
                    failure = table.Column<string>(type: "TEXT", nullable: true),
                    failure_cause = table.Column<string>(type: "TEXT", nullable: true),
                    submitted_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    deadline = table.Column<DateTime>(type: "TEXT", nullable: true),
                    ingesting_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    comparing_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    extracting_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    training_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    evaluating_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    predicting_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    finished_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    seconds = table.Column<double>(type: "REAL", nullable: true, computedColumnSql: "CASE WHEN finished_at >= submitted_at THEN (julianday(finished_at) - julianday(submitted_at)) * 86400.0 END", stored: true),
                    end_published_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    ingestion_key = table.Column<string>(type: "TEXT", nullable: true),
                    dataset_sha256 = table.Column<string>(type: "TEXT", nullable: true),
                    feature_set_key = table.Column<string>(type: "TEXT", nullable: true),
                    feature_cache_hit = table.Column<bool>(type: "INTEGER", nullable: true),
                    train_images = table.Column<int>(type: "INTEGER", nullable: true),
                    validation_images = table.Column<int>(type: "INTEGER", nullable: true),
                    test_images = table.Column<int>(type: "INTEGER", nullable: true),
                    removed_duplicates = table.Column<int>(type: "INTEGER", nullable: true),
                    environment = table.Column<string>(type: "TEXT", nullable: true),
                    trace_parent = table.Column<string>(type: "TEXT", nullable: true),
                    split_length = table.Column<long>(type: "INTEGER", nullable: true),
                    split_path = table.Column<string>(type: "TEXT", nullable: true),
                    split_sha256 = table.Column<string>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_runs", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "saved_views",
                columns: table => new
                {
                    name = table.Column<string>(type: "TEXT", nullable: false),
                    query = table.Column<string>(type: "TEXT", nullable: false),
                    columns = table.Column<string>(type: "TEXT", nullable: false),
                    revision = table.Column<int>(type: "INTEGER", nullable: false),
                    changed_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    changed_by = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_saved_views", x => x.name);
                });

            migrationBuilder.CreateTable(
                name: "webhook_cursors",
                columns: table => new
                {
                    id = table.Column<int>(type: "INTEGER", nullable: false),
                    transaction_id = table.Column<long>(type: "INTEGER", nullable: false),
                    change_id = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_webhook_cursors", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "webhooks",
                columns: table => new
                {
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    url = table.Column<string>(type: "TEXT", nullable: false),
                    events = table.Column<string>(type: "TEXT", nullable: false),
                    secret = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    created_by = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_webhooks", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "workers",
                columns: table => new
                {
                    name = table.Column<string>(type: "TEXT", nullable: false),
                    machine = table.Column<string>(type: "TEXT", nullable: false),
                    service = table.Column<string>(type: "TEXT", nullable: false),
                    version = table.Column<string>(type: "TEXT", nullable: false),
                    started_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    seen_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    state = table.Column<string>(type: "TEXT", nullable: false),
                    device = table.Column<string>(type: "TEXT", nullable: true),
                    processors = table.Column<int>(type: "INTEGER", nullable: false),
                    processor_share = table.Column<double>(type: "REAL", nullable: false),
                    memory_bytes = table.Column<long>(type: "INTEGER", nullable: false),
                    memory_limit_bytes = table.Column<long>(type: "INTEGER", nullable: false),
                    images_per_second = table.Column<double>(type: "REAL", nullable: false),
                    gpu = table.Column<string>(type: "TEXT", nullable: true),
                    gpu_share = table.Column<double>(type: "REAL", nullable: true),
                    gpu_memory_bytes = table.Column<long>(type: "INTEGER", nullable: true),
                    gpu_memory_limit_bytes = table.Column<long>(type: "INTEGER", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_workers", x => x.name);
                });

            migrationBuilder.CreateTable(
                name: "attempts",
                columns: table => new
                {
                    token = table.Column<string>(type: "TEXT", nullable: false),
                    job_id = table.Column<long>(type: "INTEGER", nullable: false),
                    worker = table.Column<string>(type: "TEXT", nullable: false),
                    started_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    ended_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    span = table.Column<string>(type: "TEXT", nullable: true),
                    outcome = table.Column<string>(type: "TEXT", nullable: true),
                    error = table.Column<string>(type: "TEXT", nullable: true),
                    waiting_for = table.Column<string>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_attempts", x => x.token);
                    table.ForeignKey(
                        name: "fk_attempts_jobs_job_id",
                        column: x => x.job_id,
                        principalTable: "jobs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "class_metrics",
                columns: table => new
                {
                    run_id = table.Column<string>(type: "TEXT", nullable: false),
                    label = table.Column<int>(type: "INTEGER", nullable: false),
                    class_name = table.Column<string>(type: "TEXT", nullable: false),
                    precision = table.Column<double>(type: "REAL", nullable: true),
                    recall = table.Column<double>(type: "REAL", nullable: true),
                    f1 = table.Column<double>(type: "REAL", nullable: true),
                    support = table.Column<int>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_class_metrics", x => new { x.run_id, x.label });
                    table.ForeignKey(
                        name: "fk_class_metrics_runs_run_id",
                        column: x => x.run_id,
                        principalTable: "runs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "compared_bases",
                columns: table => new
                {
                    run_id = table.Column<string>(type: "TEXT", nullable: false),
                    position = table.Column<int>(type: "INTEGER", nullable: false),
                    backbone = table.Column<string>(type: "TEXT", nullable: false),
                    input_size = table.Column<int>(type: "INTEGER", nullable: false),
                    feature_size = table.Column<int>(type: "INTEGER", nullable: true),
                    licence = table.Column<string>(type: "TEXT", nullable: true),
                    images_per_second = table.Column<double>(type: "REAL", nullable: true),
                    correct_bits = table.Column<byte[]>(type: "BLOB", nullable: true),
                    accuracy = table.Column<double>(type: "REAL", nullable: true),
                    accuracy_low = table.Column<double>(type: "REAL", nullable: true),
                    accuracy_high = table.Column<double>(type: "REAL", nullable: true),
                    reason = table.Column<string>(type: "TEXT", nullable: true),
                    seconds = table.Column<double>(type: "REAL", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_compared_bases", x => new { x.run_id, x.position });
                    table.ForeignKey(
                        name: "fk_compared_bases_runs_run_id",
                        column: x => x.run_id,
                        principalTable: "runs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "comparisons",
                columns: table => new
                {
                    run_id = table.Column<string>(type: "TEXT", nullable: false),
                    backbone = table.Column<string>(type: "TEXT", nullable: false),
                    images = table.Column<int>(type: "INTEGER", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    picture_length = table.Column<long>(type: "INTEGER", nullable: false),
                    picture_path = table.Column<string>(type: "TEXT", nullable: false),
                    picture_sha256 = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_comparisons", x => x.run_id);
                    table.ForeignKey(
                        name: "fk_comparisons_runs_run_id",
                        column: x => x.run_id,
                        principalTable: "runs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "dataset_predictions",
                columns: table => new
                {
                    run_id = table.Column<string>(type: "TEXT", nullable: false),
                    images = table.Column<int>(type: "INTEGER", nullable: false),
                    classes = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    csv_length = table.Column<long>(type: "INTEGER", nullable: false),
                    csv_path = table.Column<string>(type: "TEXT", nullable: false),
                    csv_sha256 = table.Column<string>(type: "TEXT", nullable: false),
                    json_lines_length = table.Column<long>(type: "INTEGER", nullable: false),
                    json_lines_path = table.Column<string>(type: "TEXT", nullable: false),
                    json_lines_sha256 = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_dataset_predictions", x => x.run_id);
                    table.ForeignKey(
                        name: "fk_dataset_predictions_runs_run_id",
                        column: x => x.run_id,
                        principalTable: "runs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "evaluations",
                columns: table => new
                {
                    run_id = table.Column<string>(type: "TEXT", nullable: false),
                    dataset_sha256 = table.Column<string>(type: "TEXT", nullable: false),
                    trial = table.Column<int>(type: "INTEGER", nullable: false),
                    test_images = table.Column<int>(type: "INTEGER", nullable: false),
                    test_accuracy = table.Column<double>(type: "REAL", nullable: false),
                    test_accuracy_low = table.Column<double>(type: "REAL", nullable: false),
                    test_accuracy_high = table.Column<double>(type: "REAL", nullable: false),
                    test_loss = table.Column<double>(type: "REAL", nullable: false),
                    top_k = table.Column<int>(type: "INTEGER", nullable: false),
                    top_k_accuracy = table.Column<double>(type: "REAL", nullable: true),
                    macro_f1 = table.Column<double>(type: "REAL", nullable: false),
                    confusion_matrix = table.Column<string>(type: "TEXT", nullable: false),
                    temperature = table.Column<double>(type: "REAL", nullable: false),
                    calibration_error = table.Column<double>(type: "REAL", nullable: false),
                    uncalibrated_error = table.Column<double>(type: "REAL", nullable: false),
                    reliability = table.Column<string>(type: "TEXT", nullable: false),
                    leaked_test_images = table.Column<int>(type: "INTEGER", nullable: true),
                    unleaked_accuracy = table.Column<double>(type: "REAL", nullable: true),
                    unleaked_accuracy_low = table.Column<double>(type: "REAL", nullable: true),
                    unleaked_accuracy_high = table.Column<double>(type: "REAL", nullable: true),
                    audit_key = table.Column<string>(type: "TEXT", nullable: false),
                    head_sha256 = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    predictions_length = table.Column<long>(type: "INTEGER", nullable: false),
                    predictions_path = table.Column<string>(type: "TEXT", nullable: false),
                    predictions_sha256 = table.Column<string>(type: "TEXT", nullable: false),
                    report_length = table.Column<long>(type: "INTEGER", nullable: true),
                    report_path = table.Column<string>(type: "TEXT", nullable: true),
                    report_sha256 = table.Column<string>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_evaluations", x => x.run_id);
                    table.ForeignKey(
                        name: "fk_evaluations_runs_run_id",
                        column: x => x.run_id,
                        principalTable: "runs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "model_versions",
                columns: table => new
                {
                    model_name = table.Column<string>(type: "TEXT", nullable: false),
                    number = table.Column<int>(type: "INTEGER", nullable: false),
                    run_id = table.Column<string>(type: "TEXT", nullable: false),
                    lineage = table.Column<string>(type: "TEXT", nullable: false),
                    note = table.Column<string>(type: "TEXT", nullable: true),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    created_by = table.Column<string>(type: "TEXT", nullable: false),
                    head_length = table.Column<long>(type: "INTEGER", nullable: false),
                    head_path = table.Column<string>(type: "TEXT", nullable: false),
                    head_sha256 = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_model_versions", x => new { x.model_name, x.number });
                    table.ForeignKey(
                        name: "fk_model_versions_models_model_name",
                        column: x => x.model_name,
                        principalTable: "models",
                        principalColumn: "name",
                        onDelete: ReferentialAction.Restrict);
                    table.ForeignKey(
                        name: "fk_model_versions_runs_run_id",
                        column: x => x.run_id,
                        principalTable: "runs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "run_dependencies",
                columns: table => new
                {
                    run_id = table.Column<string>(type: "TEXT", nullable: false),
                    scope = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_run_dependencies", x => new { x.run_id, x.scope });
                    table.ForeignKey(
                        name: "fk_run_dependencies_runs_run_id",
                        column: x => x.run_id,
                        principalTable: "runs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "trials",
                columns: table => new
                {
                    run_id = table.Column<string>(type: "TEXT", nullable: false),
                    number = table.Column<int>(type: "INTEGER", nullable: false),
                    scope = table.Column<string>(type: "TEXT", nullable: false),
                    settings = table.Column<string>(type: "TEXT", nullable: false),
                    validation_loss = table.Column<double>(type: "REAL", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_trials", x => new { x.run_id, x.number });
                    table.ForeignKey(
                        name: "fk_trials_runs_run_id",
                        column: x => x.run_id,
                        principalTable: "runs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "webhook_deliveries",
                columns: table => new
                {
                    id = table.Column<string>(type: "TEXT", nullable: false),
                    webhook_id = table.Column<string>(type: "TEXT", nullable: false),
                    @event = table.Column<string>(name: "event", type: "TEXT", nullable: false),
                    body = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    state = table.Column<string>(type: "TEXT", nullable: false),
                    attempts = table.Column<int>(type: "INTEGER", nullable: false),
                    next_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    tried_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    status = table.Column<int>(type: "INTEGER", nullable: true),
                    answer = table.Column<string>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_webhook_deliveries", x => x.id);
                    table.ForeignKey(
                        name: "fk_webhook_deliveries_webhooks_webhook_id",
                        column: x => x.webhook_id,
                        principalTable: "webhooks",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "model_aliases",
                columns: table => new
                {
                    model_name = table.Column<string>(type: "TEXT", nullable: false),
                    alias = table.Column<string>(type: "TEXT", nullable: false),
                    version = table.Column<int>(type: "INTEGER", nullable: false),
                    changed_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    changed_by = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_model_aliases", x => new { x.model_name, x.alias });
                    table.ForeignKey(
                        name: "fk_model_aliases_model_versions_model_name_version",
                        columns: x => new { x.model_name, x.version },
                        principalTable: "model_versions",
                        principalColumns: new[] { "model_name", "number" },
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "checkpoints",
                columns: table => new
                {
                    run_id = table.Column<string>(type: "TEXT", nullable: false),
                    trial = table.Column<int>(type: "INTEGER", nullable: false),
                    slice = table.Column<int>(type: "INTEGER", nullable: false),
                    kind = table.Column<string>(type: "TEXT", nullable: false),
                    epoch = table.Column<int>(type: "INTEGER", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    file_length = table.Column<long>(type: "INTEGER", nullable: false),
                    file_path = table.Column<string>(type: "TEXT", nullable: false),
                    file_sha256 = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_checkpoints", x => new { x.run_id, x.trial, x.slice, x.kind });
                    table.ForeignKey(
                        name: "fk_checkpoints_trials_run_id_trial",
                        columns: x => new { x.run_id, x.trial },
                        principalTable: "trials",
                        principalColumns: new[] { "run_id", "number" },
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "epoch_metrics",
                columns: table => new
                {
                    run_id = table.Column<string>(type: "TEXT", nullable: false),
                    trial = table.Column<int>(type: "INTEGER", nullable: false),
                    epoch = table.Column<int>(type: "INTEGER", nullable: false),
                    train_loss = table.Column<double>(type: "REAL", nullable: false),
                    train_accuracy = table.Column<double>(type: "REAL", nullable: false),
                    validation_loss = table.Column<double>(type: "REAL", nullable: true),
                    validation_accuracy = table.Column<double>(type: "REAL", nullable: true),
                    learning_rate = table.Column<double>(type: "REAL", nullable: false),
                    penalty = table.Column<double>(type: "REAL", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_epoch_metrics", x => new { x.run_id, x.trial, x.epoch });
                    table.ForeignKey(
                        name: "fk_epoch_metrics_trials_run_id_trial",
                        columns: x => new { x.run_id, x.trial },
                        principalTable: "trials",
                        principalColumns: new[] { "run_id", "number" },
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "ix_alias_changes_model_name_alias",
                table: "alias_changes",
                columns: new[] { "model_name", "alias" });

            migrationBuilder.CreateIndex(
                name: "ix_api_keys_name",
                table: "api_keys",
                column: "name",
                unique: true,
                filter: "revoked_at IS NULL");

            migrationBuilder.CreateIndex(
                name: "ix_attempts_job_id",
                table: "attempts",
                column: "job_id");

            migrationBuilder.CreateIndex(
                name: "ix_audit_log_subject",
                table: "audit_log",
                column: "subject");

            migrationBuilder.CreateIndex(
                name: "ix_changes_transaction_id_id",
                table: "changes",
                columns: new[] { "transaction_id", "id" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_dead_letters_job_scope",
                table: "dead_letters",
                column: "job_scope");

            migrationBuilder.CreateIndex(
                name: "ix_evaluations_calibration_error_run_id",
                table: "evaluations",
                columns: new[] { "calibration_error", "run_id" });

            migrationBuilder.CreateIndex(
                name: "ix_evaluations_dataset_sha256",
                table: "evaluations",
                column: "dataset_sha256");

            migrationBuilder.CreateIndex(
                name: "ix_evaluations_macro_f1_run_id",
                table: "evaluations",
                columns: new[] { "macro_f1", "run_id" });

            migrationBuilder.CreateIndex(
                name: "ix_evaluations_test_accuracy_run_id",
                table: "evaluations",
                columns: new[] { "test_accuracy", "run_id" });

            migrationBuilder.CreateIndex(
                name: "ix_evaluations_test_loss_run_id",
                table: "evaluations",
                columns: new[] { "test_loss", "run_id" });

            migrationBuilder.CreateIndex(
                name: "ix_feature_sets_dataset_sha256",
                table: "feature_sets",
                column: "dataset_sha256");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_kind_scope_step",
                table: "jobs",
                columns: new[] { "kind", "scope", "step" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_jobs_scope",
                table: "jobs",
                column: "scope");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_scope_not_done",
                table: "jobs",
                column: "scope",
                filter: "state <> 'Done'");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_state_dispatched_at",
                table: "jobs",
                columns: new[] { "state", "dispatched_at" });

            migrationBuilder.CreateIndex(
                name: "ix_model_aliases_model_name_version",
                table: "model_aliases",
                columns: new[] { "model_name", "version" });

            migrationBuilder.CreateIndex(
                name: "ix_model_versions_model_name_run_id",
                table: "model_versions",
                columns: new[] { "model_name", "run_id" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_model_versions_run_id",
                table: "model_versions",
                column: "run_id");

            migrationBuilder.CreateIndex(
                name: "ix_run_dependencies_scope",
                table: "run_dependencies",
                column: "scope");

            migrationBuilder.CreateIndex(
                name: "ix_runs_backbone_submitted_at",
                table: "runs",
                columns: new[] { "backbone", "submitted_at" });

            migrationBuilder.CreateIndex(
                name: "ix_runs_dataset_sha256_submitted_at",
                table: "runs",
                columns: new[] { "dataset_sha256", "submitted_at" });

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
                filter: "finished_at IS NOT NULL AND end_published_at IS NULL");

            migrationBuilder.CreateIndex(
                name: "ix_runs_finished_at_id",
                table: "runs",
                columns: new[] { "finished_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_runs_idempotency_key",
                table: "runs",
                column: "idempotency_key",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_runs_ingestion_key_state",
                table: "runs",
                columns: new[] { "ingestion_key", "state" });

            migrationBuilder.CreateIndex(
                name: "ix_runs_name_id",
                table: "runs",
                columns: new[] { "name", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_runs_seconds_id",
                table: "runs",
                columns: new[] { "seconds", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_runs_state_submitted_at",
                table: "runs",
                columns: new[] { "state", "submitted_at" });

            migrationBuilder.CreateIndex(
                name: "ix_runs_submitted_at_id",
                table: "runs",
                columns: new[] { "submitted_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_trials_scope",
                table: "trials",
                column: "scope",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_webhook_deliveries_next_at",
                table: "webhook_deliveries",
                column: "next_at",
                filter: "state = 'Pending'");

            migrationBuilder.CreateIndex(
                name: "ix_webhook_deliveries_webhook_id",
                table: "webhook_deliveries",
                column: "webhook_id");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "alias_changes");

            migrationBuilder.DropTable(
                name: "api_keys");

            migrationBuilder.DropTable(
                name: "attempts");

            migrationBuilder.DropTable(
                name: "audit_log");

            migrationBuilder.DropTable(
                name: "backbones");

            migrationBuilder.DropTable(
                name: "changes");

            migrationBuilder.DropTable(
                name: "checkpoints");

            migrationBuilder.DropTable(
                name: "class_metrics");

            migrationBuilder.DropTable(
                name: "compared_bases");

            migrationBuilder.DropTable(
                name: "comparisons");

            migrationBuilder.DropTable(
                name: "dataset_audits");

            migrationBuilder.DropTable(
                name: "dataset_predictions");

            migrationBuilder.DropTable(
                name: "datasets");

            migrationBuilder.DropTable(
                name: "dead_letters");

            migrationBuilder.DropTable(
                name: "downloads");

            migrationBuilder.DropTable(
                name: "epoch_metrics");

            migrationBuilder.DropTable(
                name: "evaluations");

            migrationBuilder.DropTable(
                name: "feature_maps");

            migrationBuilder.DropTable(
                name: "feature_sets");

            migrationBuilder.DropTable(
                name: "feature_shards");

            migrationBuilder.DropTable(
                name: "ingestions");

            migrationBuilder.DropTable(
                name: "installation");

            migrationBuilder.DropTable(
                name: "model_aliases");

            migrationBuilder.DropTable(
                name: "packed_parts");

            migrationBuilder.DropTable(
                name: "run_dependencies");

            migrationBuilder.DropTable(
                name: "saved_views");

            migrationBuilder.DropTable(
                name: "webhook_cursors");

            migrationBuilder.DropTable(
                name: "webhook_deliveries");

            migrationBuilder.DropTable(
                name: "workers");

            migrationBuilder.DropTable(
                name: "jobs");

            migrationBuilder.DropTable(
                name: "trials");

            migrationBuilder.DropTable(
                name: "model_versions");

            migrationBuilder.DropTable(
                name: "webhooks");

            migrationBuilder.DropTable(
                name: "models");

            migrationBuilder.DropTable(
                name: "runs");
        }
    }
}
