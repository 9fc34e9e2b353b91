using System.Numerics.Tensors;
using System.Text.Json;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets;
using Distributed.Jobs;
using Distributed.Serving;
using Distributed.Storage;
using Distributed.Vision.Features;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Evaluation.Handlers;

/// <summary>Predicts the images of a run's data set with a model, writes what it says as a table and as JSON lines, and completes the run.</summary>
internal sealed class PredictDatasetHandler(
    IDbContextFactory<CatalogContext> contexts,
    DatasetArtifacts datasets,
    FeatureArtifacts features,
    DatasetPredictor predictor,
    Volume volume,
    TimeProvider time
) : IJobHandler<PredictDataset>
{
    public async Task<JobWrite> ExecuteAsync(PredictDataset job, JobLease lease, CancellationToken cancellationToken)
    {
        var (run, _) = await contexts.ReadRunAsync(lease.RunId, cancellationToken);
        var ingestion = await FindIngestionAsync(run, cancellationToken);
        // Under the names of this run's source, which may be another one than that in which the data set was found first.
        var images = (await datasets.ReadIngestedAsync(ingestion, cancellationToken)).Manifest.Images;
        var shards = await features.FindShardsAsync(run.FeatureSetKey!, cancellationToken);
        var classNames = await predictor.ClassNamesAsync(run.Model!, run.ModelRunId!.Value, cancellationToken);
        var counts = new int[classNames.Count];
        var csv = default(StoredFile);
        var jsonLines = await volume.WriteAsync(
            $"runs/{run.Id:D}/predictions.{lease.TokenText}.jsonl",
            async (lines, token) =>
                csv = await volume.WriteAsync(
                    $"runs/{run.Id:D}/predictions.{lease.TokenText}.csv",
                    async (table, inner) =>
                    {
                        await using var writer = new PredictionWriter(table, lines, classNames);
                        await writer.WriteHeaderAsync();
                        var first = 0;
                        // One shard after the other: the features of a million images need not be in memory at once.
                        foreach (var shard in shards)
                        {
                            var matrix = FeatureShardFile.Read(shard);
                            var predicted = await predictor.PredictAsync(run.Model!, run.ModelRunId.Value, matrix, inner);
                            for (var row = 0; row < matrix.Count; row++)
                            {
                                counts[await writer.WriteAsync(images[first + row], predicted, row)]++;
                            }

                            first += matrix.Count;
                        }
                    },
                    token
                ),
            cancellationToken
        );
        return JobWrite.To<CatalogContext>(
            async (context, token) =>
            {
                context.DatasetPredictions.Add(
                    new DatasetPrediction
                    {
                        RunId = run.Id,
                        Images = images.Count,
                        Classes = JsonSerializer.Serialize(
                            classNames.Zip(counts, (name, count) => new PredictedClass(name, count)),
                            JsonSerializerOptions.Web
                        ),
                        Csv = csv!,
                        JsonLines = jsonLines,
                        CreatedAt = time.GetUtcNow().UtcDateTime,
                    }
                );
                await context.MoveRunAsync(run.Id, RunState.Predicting, RunState.Completed, time.GetUtcNow().UtcDateTime, token);
            }
        );
    }

    private async Task<Catalog.Ingestion> FindIngestionAsync(Run run, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Ingestions.AsNoTracking().SingleAsync(row => row.Key == run.IngestionKey, cancellationToken);
    }

    /// <summary>Writes predictions as a table and as JSON lines at once.</summary>
    private sealed class PredictionWriter(Stream table, Stream lines, IReadOnlyList<string> classNames) : IAsyncDisposable
    {
        private static readonly ReadOnlyMemory<byte> NewLine = "\n"u8.ToArray();

        private readonly CsvTable _table = new(table);
        private readonly Utf8JsonWriter _json = new(lines, new JsonWriterOptions { SkipValidation = true });

        public Task WriteHeaderAsync() =>
            _table.WriteAsync([
                "image",
                "sha256",
                "predicted",
                "probability",
                "distance",
                "percentile",
                .. classNames.Select(name => $"p_{name}"),
            ]);

        /// <returns>The class that is predicted.</returns>
        public async Task<int> WriteAsync(ManifestImage image, PredictedFeatures predicted, int row)
        {
            var probabilities = predicted.Probabilities.AsMemory(row * predicted.Classes, predicted.Classes);
            var best = TensorPrimitives.IndexOfMax(probabilities.Span);
            var unusual = predicted.Unusual?[row];
            await _table.WriteAsync([
                image.Name,
                image.Sha256,
                classNames[best],
                CsvTable.Number(probabilities.Span[best]),
                unusual is { Distance: var distance } ? CsvTable.Number(distance) : "",
                unusual is { Percentile: var percentile } ? CsvTable.Number(percentile) : "",
                .. probabilities.ToArray().Select(probability => CsvTable.Number(probability)),
            ]);
            WriteLine(image, probabilities.Span, best, unusual);
            await _json.FlushAsync();
            _json.Reset();
            await lines.WriteAsync(NewLine);
            return best;
        }

        public async ValueTask DisposeAsync()
        {
            await _table.DisposeAsync();
            await _json.DisposeAsync();
        }

        private void WriteLine(
            ManifestImage image,
            ReadOnlySpan<float> probabilities,
            int best,
            (double Distance, double Percentile)? unusual
        )
        {
            _json.WriteStartObject();
            _json.WriteString("image", image.Name);
            _json.WriteString("sha256", image.Sha256);
            _json.WriteString("predicted", classNames[best]);
            _json.WriteNumber("probability", probabilities[best]);
            if (unusual is { } measured)
            {
                _json.WriteNumber("distance", measured.Distance);
                _json.WriteNumber("percentile", measured.Percentile);
            }

            _json.WriteStartObject("probabilities");
            for (var label = 0; label < probabilities.Length; label++)
            {
                _json.WriteNumber(classNames[label], probabilities[label]);
            }

            _json.WriteEndObject();
            _json.WriteEndObject();
        }
    }
}
