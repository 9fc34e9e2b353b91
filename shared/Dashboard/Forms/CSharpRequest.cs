using System.Reflection;
using System.Text.Json.Nodes;
using Distributed.Contracts;

namespace Distributed.Dashboard.Forms;

/// <summary>Writes a request as a C# program with the client of the API would make it.</summary>
internal static class CSharpRequest
{
    /// <summary>The program.</summary>
    /// <param name="draft">What is asked for.</param>
    /// <param name="address">The API.</param>
    public static string Write(RunDraft draft, string address) =>
        $$"""
            using Distributed.Client;
            using Distributed.Contracts;

            using var client = new DistributedClient(new Uri("{{address}}"), Environment.GetEnvironmentVariable("KEY"));
            var run = await client.SubmitRunAsync(new RunSpecification{{Members(draft.ToJson(), typeof(RunSpecification), "")}});
            run = await client.WaitForRunAsync(run.RunId);
            """;

    private static string Members(JsonObject given, Type holder, string indent)
    {
        if (given.Count == 0)
        {
            return "()";
        }

        var members = given.Select(pair =>
        {
            var member = holder.GetProperty(pair.Key, BindingFlags.IgnoreCase | BindingFlags.Public | BindingFlags.Instance)!;
            return $"{indent}    {member.Name} = {Value(pair.Value!, member.PropertyType, indent + "    ")},\n";
        });
        return $"\n{indent}{{\n{string.Concat(members)}{indent}}}";
    }

    private static string Value(JsonNode value, Type type, string indent)
    {
        var bare = Nullable.GetUnderlyingType(type) ?? type;
        return value switch
        {
            JsonObject group => $"new(){Members(group, bare, indent)}",
            JsonArray list => $"[{string.Join(", ", list.Select(entry => entry!.ToJsonString()))}]",
            _ when bare.IsEnum =>
                $"{bare.Name}.{Enum.GetNames(bare).Single(name => string.Equals(name, value.GetValue<string>(), StringComparison.OrdinalIgnoreCase))}",
            _ => value.ToJsonString(),
        };
    }
}
