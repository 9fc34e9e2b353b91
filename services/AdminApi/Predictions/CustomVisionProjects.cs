using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Distributed.Catalog;
using Distributed.Registry;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Predictions;

/// <summary>
/// Gives models the ids that callers of Azure Custom Vision know them by: that of a project, which the settings can say, and else follows
/// from the
/// model's name; those of iterations and tags follow from the project's.
/// </summary>
internal sealed class CustomVisionProjects(IDbContextFactory<CatalogContext> contexts, IConfiguration configuration)
{
    /// <summary>Section of the settings: names of models by the ids of projects.</summary>
    public const string Section = "CustomVision:Projects";

    private const string Iteration = "iteration";

    private readonly ConcurrentDictionary<Guid, string> _known = [];

    /// <summary>The id of a model's project where the settings say no other.</summary>
    public static Guid IdOf(string model) => Derive("model", model);

    /// <summary>The id of a version.</summary>
    public static Guid IterationOf(Guid project, int version) =>
        Derive(Iteration, project.ToString("D"), version.ToString(CultureInfo.InvariantCulture));

    /// <summary>The id of a class.</summary>
    public static Guid TagOf(Guid project, string className) => Derive("tag", project.ToString("D"), className);

    /// <summary>The version that a caller means.</summary>
    /// <param name="project">Id of a project.</param>
    /// <param name="publishedName">Name of a published iteration: an alias, a number, or <c>Iteration3</c> for version 3.</param>
    /// <returns>Null where there is no such project.</returns>
    public async Task<ModelReference?> FindAsync(Guid project, string publishedName, CancellationToken cancellationToken)
    {
        if (await FindModelAsync(project, cancellationToken) is not { } model)
        {
            return null;
        }

        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var name = publishedName.ToLowerInvariant();
        var isAlias = await context.ModelAliases.AnyAsync(alias => alias.ModelName == model && alias.Alias == name, cancellationToken);
        var number = name.StartsWith(Iteration, StringComparison.Ordinal) ? name[Iteration.Length..].Trim() : name;
        return new ModelReference(
            model,
            !isAlias && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out _) ? number : name
        );
    }

    private async Task<string?> FindModelAsync(Guid project, CancellationToken cancellationToken)
    {
        if (configuration[$"{Section}:{project:D}"] is { Length: > 0 } configured)
        {
            return configured;
        }

        if (_known.TryGetValue(project, out var known))
        {
            return known;
        }

        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await foreach (var name in context.Models.Select(model => model.Name).AsAsyncEnumerable().WithCancellation(cancellationToken))
        {
            _known[IdOf(name)] = name;
        }

        return _known.GetValueOrDefault(project);
    }

    /// <summary>A version 8 UUID (RFC 9562) from a hash.</summary>
    private static Guid Derive(params string[] parts)
    {
        var bytes = SHA256.HashData(Encoding.UTF8.GetBytes("distributed.customvision\n" + string.Join('\n', parts)))[..16];
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}
