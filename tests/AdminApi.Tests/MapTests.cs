using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Storage;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

public sealed class MapTests : IAsyncLifetime
{
    private const string Features = "features";

    private AdminServer _server = null!;
    private Run _run = null!;

    private string Address => $"/api/v1/runs/{_run.Id:D}/map";

    public async ValueTask InitializeAsync()
    {
        _server = await AdminServer.StartAsync();
        var pets = await PackedPets.AddAsync(_server);
        _run = await pets.EvaluateAsync((4, 0, 0.9f, 0.9f), (5, 0, 0.8f, 0.2f));
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_map_has_a_place_class_split_and_verdict_for_each_image()
    {
        await ExtractAsync();
        await AddMapAsync([-10, 0, 10, 5, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

        var map = await _server.GetAsync(Address);

        Assert.Equal(8, map.GetProperty("images").GetInt32());
        Assert.Equal(JsonValueKind.Null, map.GetProperty("rows").ValueKind);
        // Both directions have the same measure: the map is twice as wide as it is high.
        Assert.Equal([0, 65535, 32767], Numbers(map, "x")[..3]);
        Assert.Equal([0, 16383, 32767], Numbers(map, "y")[..3]);
        Assert.Equal([0, 1, 0, 1, 0, 1, 0, 1], Numbers(map, "labels"));
        var splits = map.GetProperty("splitNames").EnumerateArray().Select(name => name.GetString()).ToList();
        Assert.Equal(
            ["train", "train", "train", "validation", "test", "test", "test", "removed"],
            Numbers(map, "splits").Select(split => splits[split])
        );
        Assert.Equal([0, 0, 0, 0, 1, 2, 0, 0], Numbers(map, "tested"));
    }

    [Fact]
    public async Task Of_fewer_points_than_images_the_rows_are_named()
    {
        await ExtractAsync();
        await AddMapAsync([0, 0, 1, 1, 2, 2, 3, 3]);

        var map = await _server.GetAsync(Address);

        Assert.Equal([0, 2, 4, 6], Numbers(map, "rows"));
        Assert.Equal([0, 0, 0, 0], Numbers(map, "labels"));
    }

    [Fact]
    public async Task A_map_is_made_once_when_it_is_first_asked_for()
    {
        await ExtractAsync();
        var (asked, made) = (0, new TaskCompletionSource());
        var worker = _server
            .Services.GetRequiredService<IBusControl>()
            .ConnectReceiveEndpoint(
                "map-features",
                endpoint =>
                    endpoint.Handler<MapFeatures>(async context =>
                    {
                        Interlocked.Increment(ref asked);
                        await made.Task;
                        await context.RespondAsync(new FeaturesMapped());
                    })
            );
        await worker.Ready;

        using (var first = await _server.Client.GetAsync(Address))
        {
            Assert.Equal((HttpStatusCode.Accepted, 5.0), (first.StatusCode, first.Headers.RetryAfter?.Delta?.TotalSeconds));
        }

        var second = _server.GetAsync(Address);
        await AddMapAsync(new float[16]);
        made.SetResult();

        Assert.Equal(8, Numbers(await second, "x").Length);
        Assert.Equal(1, asked);
    }

    [Fact]
    public async Task A_run_without_features_has_no_map()
    {
        var problem = await _server.GetProblemAsync(Address, HttpStatusCode.NotFound);

        Assert.Contains("has not computed the features", problem.GetProperty("detail").GetString());
        await _server.GetProblemAsync($"/api/v1/runs/{Guid.NewGuid():D}/map", HttpStatusCode.NotFound);
    }

    private static int[] Numbers(JsonElement map, string list) =>
        [.. map.GetProperty(list).EnumerateArray().Select(number => number.GetInt32())];

    private async Task ExtractAsync() =>
        await _server.QueryAsync(async context =>
        {
            var run = (await context.Runs.FindAsync(_run.Id))!;
            (run.FeatureSetKey, run.TrainingAt) = (Features, CatalogRows.Noon);
            return await context.SaveChangesAsync();
        });

    private async Task AddMapAsync(float[] places)
    {
        var file = await _server
            .Services.GetRequiredService<Volume>()
            .WriteAsync(
                $"maps/{Features}/map.f32",
                (stream, token) => stream.WriteAsync(MemoryMarshal.AsBytes<float>(places).ToArray(), token).AsTask()
            );
        await _server.AddAsync(
            new FeatureMapRecord
            {
                FeatureSetKey = Features,
                Version = "1",
                Points = places.Length / 2,
                File = file,
                Seconds = 1,
                CreatedAt = CatalogRows.Noon,
            }
        );
    }
}
