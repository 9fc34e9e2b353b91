using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using Distributed.AdminApi.Commands;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Imaging;
using Distributed.Networks;
using Distributed.Registry;
using Distributed.Serving;
using Distributed.Storage;
using Distributed.Vision.Weights;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Standalone;

/// <summary><c>model</c>: registers, promotes, exports and asks models, whether a server runs on the volume or not.</summary>
internal sealed class ModelCommand : CatalogCommand
{
    private readonly Option<string> _volume = CommandOptions.Volume();

    public ModelCommand()
        : base("model", "Register the heads of runs as versions of models, and use them", result => CatalogOf(result))
    {
        _volume.Recursive = true;
        Add(_volume);
        Add(List());
        Add(Register());
        Add(Promote());
        Add(RollBack());
        Add(Export());
        Add(Predict());
    }

    private static string CatalogOf(ParseResult result) =>
        StandaloneHost.CatalogOf(Path.GetFullPath(result.GetValue<string>("--volume") ?? StandaloneHost.DefaultVolume));

    private Command List()
    {
        var command = new Command("list", "List all versions, and the aliases that point to them");
        SetModelAction(
            command,
            async (services, _, cancellationToken) =>
            {
                await using var context = await OpenAsync(services, cancellationToken);
                var aliases = await context.ModelAliases.AsNoTracking().OrderBy(alias => alias.Alias).ToListAsync(cancellationToken);
                var versions = await context
                    .ModelVersions.AsNoTracking()
                    .OrderBy(version => version.ModelName)
                    .ThenBy(version => version.Number)
                    .ToListAsync(cancellationToken);
                foreach (var version in versions)
                {
                    var names = aliases
                        .Where(alias => alias.ModelName == version.ModelName && alias.Version == version.Number)
                        .Select(alias => alias.Alias);
                    var accuracy = ModelLineage.Read(version.Lineage).Metrics.Accuracy;
                    await Console.Out.WriteLineAsync(
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{version.ModelName}@{version.Number}\taccuracy {accuracy:0.0000}\trun {version.RunId:D}\t{string.Join(", ", names)}"
                        )
                    );
                }

                return 0;
            }
        );
        return command;
    }

    private Command Register()
    {
        var name = new Argument<string>("name") { Description = $"The model's name: {ModelNames.Rule}" };
        var run = new Option<Guid?>("--run")
        {
            Description = "The run; the latest that is complete where none is named",
            HelpName = "ID",
            CustomParser = ReadRunId,
        };
        var note = new Option<string?>("--note") { Description = "What people should know of this version" };
        var command = new Command("register", "Make the head of a completed run the next version of a model") { name, run, note };
        SetModelAction(
            command,
            async (services, result, cancellationToken) =>
            {
                var version = await services
                    .GetRequiredService<ModelRegistry>()
                    .RegisterAsync(
                        result.GetRequiredValue(name),
                        result.GetValue(run) ?? await LatestRunAsync(services, cancellationToken),
                        result.GetValue(note),
                        AuditActor.Account,
                        cancellationToken
                    );
                await Console.Out.WriteLineAsync($"{version.ModelName}@{version.Number}");
                var lineage = ModelLineage.Read(version.Lineage);
                return await SucceedAsync(
                    $"The head of run {version.RunId:D} on {lineage.Dataset.Name}, with a test accuracy of {lineage.Metrics.Accuracy:P1}."
                );
            }
        );
        return command;
    }

    private Command Promote()
    {
        var model = Reference();
        var alias = new Argument<string>("alias") { Description = "The alias, such as champion" };
        var confidence = new Option<double?>("--confidence")
        {
            Description = "Only if it is better than the version that the alias points to, on the same test images, at this confidence",
            HelpName = "0 to 1",
        };
        var reason = new Option<string?>("--reason") { Description = "Why, for the audit log" };
        var command = new Command("promote", "Point an alias to a version") { model, alias, confidence, reason };
        SetModelAction(
            command,
            async (services, result, cancellationToken) =>
            {
                var registry = services.GetRequiredService<ModelRegistry>();
                var version = await registry.ResolveAsync(ModelReference.Parse(result.GetRequiredValue(model)), cancellationToken);
                var moved = await registry.PromoteAsync(
                    version.ModelName,
                    result.GetRequiredValue(alias),
                    version.Number,
                    result.GetValue(confidence) is { } sure ? new PromotionRule(sure) : null,
                    result.GetValue(reason),
                    AuditActor.Account,
                    cancellationToken
                );
                return await SucceedAsync($"{moved.ModelName}@{moved.Alias} is version {moved.Version}.");
            }
        );
        return command;
    }

    private Command RollBack()
    {
        var name = new Argument<string>("name") { Description = "The model" };
        var alias = new Argument<string>("alias") { Description = "The alias" };
        var reason = new Option<string?>("--reason") { Description = "Why, for the audit log" };
        var command = new Command("rollback", "Point an alias to the version before") { name, alias, reason };
        SetModelAction(
            command,
            async (services, result, cancellationToken) =>
            {
                var moved = await services
                    .GetRequiredService<ModelRegistry>()
                    .RollBackAsync(
                        result.GetRequiredValue(name),
                        result.GetRequiredValue(alias),
                        result.GetValue(reason),
                        AuditActor.Account,
                        cancellationToken
                    );
                return await SucceedAsync($"{moved.ModelName}@{moved.Alias} is version {moved.Version}.");
            }
        );
        return command;
    }

    private Command Export()
    {
        var model = Reference();
        var output = new Option<string?>("--output")
        {
            Description = "The file to write; NAME-NUMBER.zip where none is named",
            HelpName = "FILE",
        };
        var command = new Command("export", "Write a model's package: network as ONNX, head, description, model card") { model, output };
        SetModelAction(
            command,
            async (services, result, cancellationToken) =>
            {
                var version = await services
                    .GetRequiredService<ModelRegistry>()
                    .ResolveAsync(ModelReference.Parse(result.GetRequiredValue(model)), cancellationToken);
                var path = result.GetValue(output) ?? $"{version.ModelName}-{version.Number}.zip";
                var temporary = $"{path}.{Guid.NewGuid():N}{Volume.TemporarySuffix}";
                try
                {
                    await using (var file = new FileStream(temporary, FileMode.CreateNew))
                    {
                        await services.GetRequiredService<ModelExporter>().WriteAsync(version, file, cancellationToken);
                    }

                    File.Move(temporary, path, overwrite: true);
                }
                finally
                {
                    File.Delete(temporary);
                }

                await Console.Out.WriteLineAsync(path);
                return 0;
            }
        );
        return command;
    }

    private Command Predict()
    {
        var model = Reference();
        var files = new Argument<string[]>("files") { Description = "Image files", Arity = ArgumentArity.OneOrMore };
        var json = new Option<bool>("--json") { Description = "Write a line of JSON for each image, with all classes" };
        var command = new Command("predict", "Classify images") { model, files, json };
        SetModelAction(
            command,
            async (services, result, cancellationToken) =>
            {
                var version = await services
                    .GetRequiredService<ModelRegistry>()
                    .ResolveAsync(ModelReference.Parse(result.GetRequiredValue(model)), cancellationToken);
                var failed = false;
                foreach (var file in result.GetRequiredValue(files))
                {
                    if (!File.Exists(file))
                    {
                        failed = true;
                        await Console.Error.WriteLineAsync($"error: {file}: there is no such file");
                        continue;
                    }

                    var image = await File.ReadAllBytesAsync(file, cancellationToken);
                    var answer = await services
                        .GetRequiredService<Predictor>()
                        .PredictAsync(
                            new PredictImages(version.ModelName, version.Number, version.RunId, [image], int.MaxValue, Evidence: null),
                            LocalImageDecoding.Default,
                            cancellationToken
                        );
                    if ((answer.Refused ?? answer.Images[0].Rejected) is { } wrong)
                    {
                        failed = true;
                        await Console.Error.WriteLineAsync($"error: {file}: {wrong}");
                        continue;
                    }

                    var classes = answer.Images[0].Classes;
                    await Console.Out.WriteLineAsync(
                        result.GetValue(json)
                            ? JsonSerializer.Serialize(new { image = file, classes }, JsonSerializerOptions.Web)
                            : string.Create(CultureInfo.InvariantCulture, $"{file}\t{classes[0].Class}\t{classes[0].Probability:0.0000}")
                    );
                }

                return failed ? 1 : 0;
            }
        );
        return command;
    }

    private static Guid? ReadRunId(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (Guid.TryParse(text, out var id))
        {
            return id;
        }

        result.AddError(
            $"--run is '{text}', which is no id of a run; it is shown when a run ends, such as 01a21c10-d3fd-7b98-af2c-e2f000d09319."
        );
        return null;
    }

    private static Argument<string> Reference() => new("model") { Description = "NAME@ALIAS or NAME@NUMBER" };

    private static async Task<Guid> LatestRunAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        await using var context = await OpenAsync(services, cancellationToken);
        return await context
                .Runs.Where(run => run.State == RunState.Completed && run.Model == null)
                .OrderByDescending(run => run.Id)
                .Select(run => (Guid?)run.Id)
                .FirstOrDefaultAsync(cancellationToken)
            ?? throw new ArgumentException("There is no completed run on this volume. Train one first: run --dataset PATH.");
    }

    /// <summary>Gives a subcommand what works on models, and reports what cannot be done in one line.</summary>
    private void SetModelAction(Command command, Func<IServiceProvider, ParseResult, CancellationToken, Task<int>> action) =>
        SetAction(
            command,
            async (catalog, result, cancellationToken) =>
            {
                var root = Path.GetFullPath(result.GetValue(_volume)!);
                if (!File.Exists(Path.Combine(root, StandaloneHost.CatalogName)))
                {
                    return await FailAsync(
                        $"There is no catalog in {root}. Train a model there first, or name its directory with --volume."
                    );
                }

                var collection = new ServiceCollection().AddLogging().AddCatalog(StandaloneHost.CatalogOf(root));
                collection
                    .AddSingleton(new Volume(root))
                    .AddSingleton<DatasetArtifacts>()
                    .AddSingleton<FeatureArtifacts>()
                    .AddSingleton(BackboneList.Load(Environment.GetEnvironmentVariable(BackboneList.FileVariable)))
                    .AddSingleton<BackboneLoader>()
                    .AddSingleton<ModelRegistry>()
                    .AddSingleton<ModelExporter>()
                    .AddSingleton<EvidenceSource>()
                    .AddSingleton<Predictor>();
                await using var services = collection.BuildServiceProvider();
                await using (var context = await OpenAsync(services, cancellationToken))
                {
                    if (!await CatalogMigration.IsCurrentAsync(context, cancellationToken))
                    {
                        return await FailAsync("The catalog does not have this program's schema yet. Start a run or the server once.");
                    }
                }

                if (await services.GetRequiredService<VolumeIdentity>().CheckAsync(VolumeDuty.Follow, cancellationToken) is { } complaint)
                {
                    return await FailAsync(complaint);
                }

                try
                {
                    return await action(services, result, cancellationToken);
                }
                catch (Exception exception)
                    when (exception is RegistryException or StoredFileException or WeightsException or NotSupportedException)
                {
                    return await FailAsync(
                        exception is RegistryException { Field: { } field } ? $"{field} {exception.Message}" : exception.Message
                    );
                }
            }
        );
}
