using Distributed.Contracts;
using Distributed.Ingestion.Tests;
using Distributed.Networks;
using Distributed.ServiceTests;
using Distributed.Vision.Onnx;
using Microsoft.EntityFrameworkCore;
using static Distributed.Training.Tests.TrainingServices;

namespace Distributed.Training.Tests;

/// <summary>Every base of the list that is fetched comes from a server on the loopback address, as a file of its kind, and gives features.</summary>
public sealed class NamedBaseTests
{
    /// <summary>Those of an own network: the published files are known by their hashes, so these are others of the same network.</summary>
    public static TheoryData<string> Networks => [.. Fetched.Where(known => known.Architecture is not null).Select(known => known.Name)];

    /// <summary>Those of ONNX files: a small one of the same kind stands for each.</summary>
    public static TheoryData<string, string> OnnxFiles =>
        new()
        {
            { "dinov2-small", "tokens.onnx" },
            { "dinov2-base", "tokens.onnx" },
            { "siglip2-base", "pooled.onnx" },
            { "convnext-tiny", "separable.onnx" },
            { "mobilenetv4-medium", "separable.onnx" },
        };

    private static IEnumerable<PretrainedBase> Fetched => PretrainedBases.All.Where(known => known.Url is not null);

    [Fact]
    public void Each_base_that_is_fetched_is_tested() =>
        Assert.Equal(
            Fetched.Select(known => known.Name).Order(),
            Networks.Select(row => row.Data).Concat(OnnxFiles.Select(row => row.Data.Item1)).Order()
        );

    [Theory]
    [MemberData(nameof(Networks))]
    public async Task A_network_of_the_list_is_fetched_read_and_gives_as_many_features_as_the_list_says(string name)
    {
        var known = PretrainedBases.Find(name)!;
        var architecture = known.Architecture!;
        var weights = WeightFiles.Safetensors(architecture, value: 0x3CA4);
        var ending = Path.GetExtension(known.Url!.AbsolutePath);
        var (source, size) = await TrainAsync(
            ending == ".pth" ? WeightFiles.AsPth(weights) : weights,
            url => $$"""{ "bases": [{ "name": "own", "url": "{{url}}{{ending}}", "architecture": "{{architecture.Name}}" }] }""",
            "own"
        );

        Assert.Equal(architecture.Name, source.Architecture);
        Assert.Equal(known.FeatureSize, size);
    }

    [Theory]
    [MemberData(nameof(OnnxFiles))]
    public async Task An_onnx_file_of_the_list_is_fetched_and_used_as_the_list_says(string name, string file)
    {
        var known = PretrainedBases.Find(name)!;

        var (source, size) = await TrainAsync(
            await File.ReadAllBytesAsync(WeightFiles.OnnxPath(file)),
            url => $$"""{ "mirrors": { "{{name}}": "{{url}}" } }""",
            name
        );

        var settings = OnnxSettings.Read(source.Settings!);
        Assert.Equal(known.Output, settings.Output);
        Assert.Equal(known.Preprocessing!.Mean, settings.Preprocessing.Mean);
        Assert.Equal(known.Preprocessing.Std, settings.Preprocessing.Std);
        Assert.StartsWith("onnx-", source.Architecture, StringComparison.Ordinal);
        // A transformer's class token is joined with the mean of its patches where the list says so.
        Assert.Equal(
            (file, known.Output) switch
            {
                ("tokens.onnx", OnnxSettings.ClassAndPatches) => 32,
                ("separable.onnx", null) => 24,
                _ => 16,
            },
            size
        );
    }

    private static async Task<(Catalog.Backbone Source, int FeatureSize)> TrainAsync(byte[] content, Func<Uri, string> listFor, string name)
    {
        await using var server = await FileServer.StartAsync(content);
        var list = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(list, listFor(server.Url));
            await using var services = await StartAsync((BackboneList.FileSetting, list), ("Ingestion:AllowPrivateAddresses", "true"));
            await services.TrainAsync(Specify(services) with { InputSize = 32, Backbone = name });
            Assert.Equal(1, server.Requests);
            return (
                await services.QueryAsync(context => context.Backbones.AsNoTracking().SingleAsync()),
                (await services.SetsAsync()).Single().FeatureSize
            );
        }
        finally
        {
            File.Delete(list);
        }
    }
}
