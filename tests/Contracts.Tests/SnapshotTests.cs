using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Distributed.Contracts.Tests;

/// <summary>
/// Contracts as they were: <c>Snapshots/N</c> holds what the Nth version of each contract looked like. A contract that is
/// changed gets a further one; those that are there are never changed, since such messages wait in queues.
/// </summary>
public sealed class SnapshotTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Snapshots");

    // As the bus reads messages.
    private static readonly JsonSerializerOptions Messages = new(JsonSerializerDefaults.Web);

    private static readonly Type[] Contracts =
    [
        .. typeof(IJobMessage).Assembly.GetExportedTypes().Where(type => type.IsClass && type.IsAssignableTo(typeof(IJobMessage))),
        typeof(SubmitRun),
        typeof(RunEvaluated),
        typeof(RunPredicted),
        typeof(RunCompared),
        typeof(RunFailed),
        typeof(RunCancelled),
        typeof(RunSpecification),
    ];

    public static TheoryData<string> Snapshots =>
        [
            .. Directory
                .EnumerateFiles(Folder, "*.json", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(Folder, path))
                .Where(path => path.Contains(Path.DirectorySeparatorChar)),
        ];

    [Theory]
    [MemberData(nameof(Snapshots))]
    public void A_message_of_an_earlier_version_is_still_understood_in_full(string snapshot)
    {
        var type = Assert.Single(Contracts, contract => contract.Name == Path.GetFileNameWithoutExtension(snapshot));
        var options = type == typeof(RunSpecification) ? ContractJson.Strict : Messages;
        var old = Read(snapshot);

        var understood = JsonSerializer.SerializeToNode(JsonSerializer.Deserialize(old, type, options), type, options);

        AssertHolds(old, understood, snapshot);
    }

    [Fact]
    public void Every_setting_is_in_the_snapshot_of_its_version()
    {
        foreach (var version in RunSettings.All.GroupBy(setting => setting.Since).OrderBy(group => group.Key))
        {
            var path = GoldenFile.PathOf($"tests/Contracts.Tests/Snapshots/{version.Key}/RunSpecification.json");
            if (GoldenFile.IsWritten)
            {
                SettingExamples.AddTo(path, version);
            }

            var snapshot = File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path)) : null;
            Assert.All(
                version,
                setting =>
                    Assert.True(
                        setting.Field.Split('.').Aggregate(snapshot, (holder, name) => holder?[name]) is not null,
                        $"{setting.Field} is not in {path}. {GoldenFile.Remedy}"
                    )
            );
        }
    }

    [Fact]
    public void Every_field_of_every_contract_is_in_a_snapshot()
    {
        if (GoldenFile.IsWritten)
        {
            WriteCommands();
        }

        var known = Snapshots.Select(row => row.Data).ToLookup(path => Path.GetFileNameWithoutExtension(path), Read);
        foreach (var contract in Contracts)
        {
            AssertCovered(contract, [.. known[contract.Name]], contract.Name);
        }
    }

    [Theory]
    [MemberData(nameof(Snapshots))]
    public void A_field_of_a_later_version_is_ignored_in_messages_and_refused_in_specifications(string snapshot)
    {
        var type = Assert.Single(Contracts, contract => contract.Name == Path.GetFileNameWithoutExtension(snapshot));
        var newer = Read(snapshot);
        newer["fieldOfALaterVersion"] = 1;

        if (type == typeof(RunSpecification))
        {
            Assert.Null(RunSpecificationReader.Read(JsonSerializer.SerializeToElement(newer), out var errors));
            Assert.Equal("fieldOfALaterVersion", Assert.Single(errors).Field);
        }
        else
        {
            Assert.Equal(
                JsonSerializer.Deserialize(Read(snapshot), type, Messages)!.ToString(),
                JsonSerializer.Deserialize(newer, type, Messages)!.ToString()
            );
        }
    }

    [Fact]
    public void Every_earlier_specification_is_still_valid()
    {
        foreach (
            var snapshot in Snapshots
                .Select(row => row.Data)
                .Where(path => path.EndsWith("RunSpecification.json", StringComparison.Ordinal))
        )
        {
            Assert.NotNull(RunSpecificationReader.Read(JsonSerializer.SerializeToElement(Read(snapshot)), out var errors));
            Assert.Empty(errors);
        }
    }

    [Fact]
    public void A_specification_without_later_fields_is_written_as_it_always_was_but_for_an_architecture_and_an_optimizer_that_are_not_given()
    {
        // A repeated submission is told from another one by this text, which stands in catalogs since the first version.
        const string Given = "\"architecture\":\"densenet121\",";
        var first = File.ReadAllText(Path.Combine(Folder, "default-specification.json")).Trim();

        var now = first.Replace("\"optimizer\":\"auto\"", "\"optimizer\":\"newton\"", StringComparison.Ordinal);

        Assert.Equal(now, ContractJson.Write(new RunSpecification { Architecture = "densenet121" }));
        Assert.Equal(now.Replace(Given, "", StringComparison.Ordinal), ContractJson.Write(new RunSpecification()));
        Assert.True(ContractJson.IsSame(first, ContractJson.Write(new RunSpecification())));
        Assert.False(ContractJson.IsSame(first, ContractJson.Write(new RunSpecification { Architecture = "densenet169" })));
        Assert.False(ContractJson.IsSame(first, ContractJson.Write(new RunSpecification { Seed = 1 })));
        Assert.False(
            ContractJson.IsSame(first, ContractJson.Write(new RunSpecification { Training = new() { Optimizer = HeadOptimizer.Adam } }))
        );
        Assert.False(ContractJson.IsSame(first, "{\"fieldOfALaterVersion\":1}"));
    }

    /// <summary>Writes a snapshot of each command that has none, as of the newest version.</summary>
    private static void WriteCommands()
    {
        var folder = GoldenFile.PathOf("tests/Contracts.Tests/Snapshots");
        var newest = Directory.EnumerateDirectories(folder).Max(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture));
        var known = Directory.EnumerateFiles(folder, "*.json", SearchOption.AllDirectories).Select(Path.GetFileNameWithoutExtension);
        foreach (var command in Contracts.Where(type => type.IsAssignableTo(typeof(IJobMessage))).ExceptBy(known, type => type.Name))
        {
            var example = Activator.CreateInstance(command, "6f9619ff-8b86-d011-b42d-00cf4fc964ff", 3);
            File.WriteAllText(
                Path.Combine(folder, $"{newest}", $"{command.Name}.json"),
                JsonSerializer.Serialize(example, command, Messages) + Environment.NewLine
            );
        }
    }

    private static JsonNode Read(string snapshot) => JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, snapshot)))!;

    private static void AssertHolds(JsonNode? old, JsonNode? understood, string path)
    {
        if (old is JsonObject fields)
        {
            foreach (var (name, value) in fields)
            {
                Assert.True(
                    understood is JsonObject read && read.ContainsKey(name),
                    $"{path}: the field {name} is not understood any more."
                );
                AssertHolds(value, understood![name], $"{path}.{name}");
            }
        }
        else
        {
            Assert.True(JsonNode.DeepEquals(old, understood), $"{path}: {old?.ToJsonString()} is read as {understood?.ToJsonString()}.");
        }
    }

    private static void AssertCovered(Type type, IReadOnlyList<JsonNode> snapshots, string path)
    {
        foreach (var property in type.GetProperties().Where(property => property.CanWrite))
        {
            var name = JsonNamingPolicy.CamelCase.ConvertName(property.Name);
            var values = snapshots.Select(snapshot => snapshot[name]).OfType<JsonNode>().ToList();
            Assert.True(values.Count > 0, $"{path}.{name} is in no snapshot: add one under Snapshots.");
            if (property.PropertyType.Assembly == type.Assembly && property.PropertyType.IsClass)
            {
                AssertCovered(property.PropertyType, values, $"{path}.{name}");
            }
        }
    }
}
