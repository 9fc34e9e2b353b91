using System.Globalization;
using Distributed.Artifacts;
using Distributed.Catalog;
using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Distributed.Registry;

/// <summary>A rule that a version must meet before an alias is moved to it.</summary>
/// <param name="Confidence">How sure it must be that the version is better than the one that the alias points to; above 0 and below 1.</param>
public sealed record PromotionRule(double Confidence);

/// <summary>
/// Models, their versions, and the aliases by which they are called. Every change is one transaction that begins with the lock of the model's
/// row, and leaves an entry in the audit log.
/// </summary>
public sealed class ModelRegistry(IDbContextFactory<CatalogContext> contexts, DatasetArtifacts datasets, TimeProvider time)
{
    /// <summary>Of aliases that an error lists.</summary>
    private const int MostNamed = 10;

    private const int LongestText = 2000;

    /// <summary>Makes the head of a completed run the next version of a model, which is created where there is none of that name.</summary>
    /// <param name="name">The model's name.</param>
    /// <param name="runId">The run.</param>
    /// <param name="note">What people should know of it.</param>
    /// <param name="actor">Who does it.</param>
    /// <param name="cancellationToken">Stops it; nothing is changed then.</param>
    /// <returns>The version; the one that the run is already, where it is one.</returns>
    /// <exception cref="RegistryException">The name or the note is out of range, or the run is unknown or not complete.</exception>
    public async Task<ModelVersion> RegisterAsync(
        string name,
        Guid runId,
        string? note,
        AuditActor actor,
        CancellationToken cancellationToken
    )
    {
        ThrowIfNoName(name);
        ThrowIfLong(note, nameof(note));
        await CreateAsync(name, cancellationToken);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await LockAsync(context, name, cancellationToken);
        var known = await context
            .ModelVersions.AsNoTracking()
            .SingleOrDefaultAsync(version => version.ModelName == name && version.RunId == runId, cancellationToken);
        if (known is not null)
        {
            return known;
        }

        var (lineage, head) =
            await ModelLineage.ReadAsync(context, runId, cancellationToken) ?? throw await ExplainAsync(context, runId, cancellationToken);
        // What the version needs may be about to be collected.
        await context.LockFeatureSetAsync(lineage.Features.Key, cancellationToken);
        var number =
            await context.Models.Where(model => model.Name == name).Select(model => model.LatestNumber).SingleAsync(cancellationToken) + 1;
        await context
            .Models.Where(model => model.Name == name)
            .ExecuteUpdateAsync(model => model.SetProperty(m => m.LatestNumber, number), cancellationToken);
        var registered = new ModelVersion
        {
            ModelName = name,
            Number = number,
            RunId = runId,
            Head = head.File,
            Lineage = lineage.Write(),
            Note = note,
            CreatedAt = Now(),
            CreatedBy = actor.Name,
        };
        context.ModelVersions.Add(registered);
        context.Audit(actor, AuditAction.ModelRegistered, Subject(name), Now(), $"version {number}, run {runId:D}");
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return registered;
    }

    /// <summary>Describes a model.</summary>
    /// <exception cref="RegistryException">There is none of that name, or the text is too long.</exception>
    public async Task<bool> DescribeAsync(
        string name,
        string? description,
        int? revision,
        AuditActor actor,
        CancellationToken cancellationToken
    )
    {
        ThrowIfLong(description, nameof(description));
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await LockAsync(context, name, cancellationToken);
        var changed = await context
            .Models.Where(model => model.Name == name && (revision == null || model.Revision == revision))
            .ExecuteUpdateAsync(
                model => model.SetProperty(m => m.Description, description).SetProperty(m => m.Revision, m => m.Revision + 1),
                cancellationToken
            );
        if (changed == 0)
        {
            return false;
        }

        context.Audit(actor, AuditAction.ModelDescribed, Subject(name), Now());
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>Points an alias to a version.</summary>
    /// <param name="name">The model.</param>
    /// <param name="alias">The alias; new, or moved.</param>
    /// <param name="number">The version.</param>
    /// <param name="rule">What must hold against the version that the alias points to; null to move it in any case.</param>
    /// <param name="reason">Why, in the caller's words.</param>
    /// <param name="actor">Who does it.</param>
    /// <param name="cancellationToken">Stops it; nothing is changed then.</param>
    /// <returns>The alias as it is now.</returns>
    /// <exception cref="RegistryException">Model or version is unknown, the alias is no name, or the rule is not met.</exception>
    public async Task<ModelAlias> PromoteAsync(
        string name,
        string alias,
        int number,
        PromotionRule? rule,
        string? reason,
        AuditActor actor,
        CancellationToken cancellationToken
    )
    {
        ThrowIfNoAlias(alias);
        ThrowIfLong(reason, nameof(reason));
        if (rule is not null && !(rule.Confidence is > 0 and < 1))
        {
            throw new RegistryException(
                RegistryProblem.Invalid,
                string.Create(CultureInfo.InvariantCulture, $"is {rule.Confidence}; it must be above 0 and below 1, such as 0.95"),
                "confidence"
            );
        }

        var judged = rule is null ? null : await JudgeAsync(name, alias, number, rule, cancellationToken);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await LockAsync(context, name, cancellationToken);
        await FindAsync(context, name, number, cancellationToken);
        var current = await CurrentAsync(context, name, alias, cancellationToken);
        if (judged is not null && judged.Against != current?.Version)
        {
            throw new RegistryException(
                RegistryProblem.Conflict,
                $"Meanwhile the alias {alias} of {name} was moved to version {current?.Version}. Try again."
            );
        }

        if (current?.Version == number)
        {
            return current;
        }

        var why = string.Join("; ", new[] { reason, judged?.Words }.Where(text => text is not null));
        var moved = Move(context, name, alias, current, number, isRollback: false, why.Length == 0 ? null : why, actor);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return moved;
    }

    /// <summary>Points an alias to the version that it pointed to before it was moved to the present one.</summary>
    /// <returns>The alias as it is now.</returns>
    /// <exception cref="RegistryException">The alias is unknown, or was never anywhere else, or that version is deleted.</exception>
    public async Task<ModelAlias> RollBackAsync(
        string name,
        string alias,
        string? reason,
        AuditActor actor,
        CancellationToken cancellationToken
    )
    {
        ThrowIfLong(reason, nameof(reason));
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await LockAsync(context, name, cancellationToken);
        var current = await CurrentAsync(context, name, alias, cancellationToken) ?? throw UnknownAlias(name, alias);
        var before = await context
            .AliasChanges.Where(change =>
                change.ModelName == name && change.Alias == alias && change.ToVersion == current.Version && !change.IsRollback
            )
            .OrderByDescending(change => change.Id)
            .Select(change => change.FromVersion)
            .FirstOrDefaultAsync(cancellationToken);
        if (before is not { } number)
        {
            throw new RegistryException(
                RegistryProblem.Conflict,
                $"The alias {alias} of {name} has pointed to version {current.Version} from the beginning: there is nothing to go back to."
            );
        }

        await FindAsync(context, name, number, cancellationToken);
        var moved = Move(context, name, alias, current, number, isRollback: true, reason, actor);
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return moved;
    }

    /// <summary>Removes an alias; the version stays.</summary>
    /// <exception cref="RegistryException">It is unknown.</exception>
    public async Task RemoveAliasAsync(string name, string alias, AuditActor actor, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await LockAsync(context, name, cancellationToken);
        var current = await CurrentAsync(context, name, alias, cancellationToken) ?? throw UnknownAlias(name, alias);
        context.ModelAliases.Remove(current);
        Record(context, name, alias, current.Version, to: null, isRollback: false, reason: null, actor);
        context.Audit(actor, AuditAction.AliasRemoved, Subject(name), Now(), $"{alias} pointed to version {current.Version}");
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Deletes a version; its run stays.</summary>
    /// <exception cref="RegistryException">It is unknown, or an alias points to it.</exception>
    public async Task DeleteVersionAsync(string name, int number, AuditActor actor, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await LockAsync(context, name, cancellationToken);
        var version = await FindAsync(context, name, number, cancellationToken);
        var aliases = await AliasesAsync(context, name, number, cancellationToken);
        if (aliases.Count > 0)
        {
            throw new RegistryException(
                RegistryProblem.Conflict,
                $"{string.Join(" and ", aliases)} of {name} {(aliases.Count == 1 ? "points" : "point")} to version {number}. Move or remove {(aliases.Count == 1 ? "it" : "them")} first."
            );
        }

        context.ModelVersions.Remove(version);
        context.Audit(actor, AuditAction.ModelVersionDeleted, Subject(name), Now(), $"version {number}, run {version.RunId:D}");
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Deletes a model with all its versions; their runs stay.</summary>
    /// <exception cref="RegistryException">It is unknown, or an alias points to one of its versions.</exception>
    public async Task DeleteAsync(string name, AuditActor actor, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await LockAsync(context, name, cancellationToken);
        var aliases = await context
            .ModelAliases.Where(alias => alias.ModelName == name)
            .OrderBy(alias => alias.Alias)
            .Select(alias => alias.Alias)
            .ToListAsync(cancellationToken);
        if (aliases.Count > 0)
        {
            throw new RegistryException(
                RegistryProblem.Conflict,
                $"{name} has the {(aliases.Count == 1 ? "alias" : "aliases")} {string.Join(", ", aliases)}. Remove {(aliases.Count == 1 ? "it" : "them")} first."
            );
        }

        await context.AliasChanges.Where(change => change.ModelName == name).ExecuteDeleteAsync(cancellationToken);
        await context.ModelVersions.Where(version => version.ModelName == name).ExecuteDeleteAsync(cancellationToken);
        await context.Models.Where(model => model.Name == name).ExecuteDeleteAsync(cancellationToken);
        context.Audit(actor, AuditAction.ModelDeleted, Subject(name), Now());
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>The version that a reference means now.</summary>
    /// <exception cref="RegistryException">There is none.</exception>
    public async Task<ModelVersion> ResolveAsync(ModelReference reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reference);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        if (reference.Number is { } number)
        {
            return await FindAsync(context, reference.Name, number, cancellationToken);
        }

        var found = await context
            .ModelAliases.Where(alias => alias.ModelName == reference.Name && alias.Alias == reference.Version)
            .Join(
                context.ModelVersions,
                alias => new { alias.ModelName, Number = alias.Version },
                version => new { version.ModelName, version.Number },
                (_, version) => version
            )
            .AsNoTracking()
            .SingleOrDefaultAsync(cancellationToken);
        return found ?? throw await ExplainAsync(context, reference, cancellationToken);
    }

    /// <summary>Compares two versions of a model on the same test images.</summary>
    /// <exception cref="RegistryException">One is unknown, or they were tested on different images.</exception>
    public async Task<ModelComparison> CompareAsync(string name, int first, int second, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var (one, other) = (
            await FindAsync(context, name, first, cancellationToken),
            await FindAsync(context, name, second, cancellationToken)
        );
        return await new ModelComparer(contexts, datasets).CompareAsync(one.RunId, other.RunId, cancellationToken);
    }

    private static async Task LockAsync(CatalogContext context, string name, CancellationToken cancellationToken)
    {
        var locked = await context
            .Models.Where(model => model.Name == name)
            .ExecuteUpdateAsync(model => model.SetProperty(m => m.LatestNumber, m => m.LatestNumber), cancellationToken);
        if (locked == 0)
        {
            throw Unknown(name);
        }
    }

    private static async Task<ModelVersion> FindAsync(CatalogContext context, string name, int number, CancellationToken cancellationToken)
    {
        var found = await context.ModelVersions.SingleOrDefaultAsync(
            version => version.ModelName == name && version.Number == number,
            cancellationToken
        );
        return found
            ?? throw (
                await context.Models.AnyAsync(model => model.Name == name, cancellationToken)
                    ? new RegistryException(RegistryProblem.NotFound, $"The model {name} has no version {number}.")
                    : Unknown(name)
            );
    }

    private static Task<ModelAlias?> CurrentAsync(CatalogContext context, string name, string alias, CancellationToken cancellationToken) =>
        context.ModelAliases.SingleOrDefaultAsync(row => row.ModelName == name && row.Alias == alias, cancellationToken);

    private static Task<List<string>> AliasesAsync(CatalogContext context, string name, int number, CancellationToken cancellationToken) =>
        context
            .ModelAliases.Where(alias => alias.ModelName == name && alias.Version == number)
            .OrderBy(alias => alias.Alias)
            .Select(alias => alias.Alias)
            .ToListAsync(cancellationToken);

    private static async Task<RegistryException> ExplainAsync(CatalogContext context, Guid runId, CancellationToken cancellationToken)
    {
        var found = await context.Runs.AsNoTracking().SingleOrDefaultAsync(run => run.Id == runId, cancellationToken);
        return found switch
        {
            null => new RegistryException(RegistryProblem.NotFound, $"No run has the id {runId:D}."),
            { Model: { } model } => new RegistryException(
                RegistryProblem.Conflict,
                $"Run {runId:D} predicts with {model} and has no head of its own; only the head of a run that trains one can be registered."
            ),
            _ => new RegistryException(
                RegistryProblem.Conflict,
                $"Run {runId:D} is {found.State.ToString().ToLowerInvariant()}; only the head of a completed run can be registered."
            ),
        };
    }

    private static void ThrowIfNoName(string name)
    {
        if (!ModelNames.IsName(name))
        {
            throw new RegistryException(RegistryProblem.Invalid, $"is '{Shown(name)}'; it must be {ModelNames.Rule}", "name");
        }
    }

    private static void ThrowIfNoAlias(string alias)
    {
        if (!ModelNames.IsAlias(alias))
        {
            throw new RegistryException(
                RegistryProblem.Invalid,
                $"is '{Shown(alias)}'; it must be {ModelNames.Rule}, and no number, which would be a version",
                "alias"
            );
        }
    }

    private static void ThrowIfLong(string? text, string field)
    {
        if (text?.Length > LongestText)
        {
            throw new RegistryException(RegistryProblem.Invalid, $"has {text.Length} characters; at most {LongestText} are allowed", field);
        }
    }

    private static string Shown(string text) => text.Length <= 100 ? text : text[..100] + "…";

    private static string Subject(string name) => $"model {name}";

    /// <summary>What there is instead of an alias that is not there.</summary>
    private static async Task<RegistryException> ExplainAsync(
        CatalogContext context,
        ModelReference reference,
        CancellationToken cancellationToken
    )
    {
        if (!await context.Models.AnyAsync(model => model.Name == reference.Name, cancellationToken))
        {
            return Unknown(reference.Name);
        }

        var aliases = await context
            .ModelAliases.Where(alias => alias.ModelName == reference.Name)
            .OrderBy(alias => alias.Alias)
            .Select(alias => alias.Alias)
            .Take(MostNamed)
            .ToListAsync(cancellationToken);
        var known = aliases.Count == 0 ? "It has none; name a version by its number" : $"It has {string.Join(", ", aliases)}";
        return new RegistryException(
            RegistryProblem.NotFound,
            $"The model {reference.Name} has no alias {Shown(reference.Version)}. {known}."
        );
    }

    private static RegistryException Unknown(string name) => new(RegistryProblem.NotFound, $"There is no model {Shown(name)}.");

    private static RegistryException UnknownAlias(string name, string alias) =>
        new(RegistryProblem.NotFound, $"The model {name} has no alias {Shown(alias)}.");

    /// <summary>Two who create it at once are one: the key of its row lets one through.</summary>
    private async Task CreateAsync(string name, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var known = context.Models.Where(model => model.Name == name);
        if (await known.AnyAsync(cancellationToken))
        {
            return;
        }

        context.Models.Add(new Model { Name = name, CreatedAt = Now() });
        try
        {
            await context.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException) when (!cancellationToken.IsCancellationRequested)
        {
            if (!await known.AnyAsync(cancellationToken))
            {
                throw;
            }
        }
    }

    /// <summary>Compares before the transaction, since files are read for it.</summary>
    private async Task<Judgement> JudgeAsync(string name, string alias, int number, PromotionRule rule, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await FindAsync(context, name, number, cancellationToken);
        var current = await CurrentAsync(context, name, alias, cancellationToken);
        if (current is null || current.Version == number)
        {
            // There is nothing to be better than.
            return new Judgement(current?.Version, Words: null);
        }

        var comparison = await CompareAsync(name, current.Version, number, cancellationToken);
        var words = comparison.Describe(current.Version, number);
        return comparison.Test.IsSecondBetter(rule.Confidence)
            ? new Judgement(current.Version, words)
            : throw new RegistryException(
                RegistryProblem.Conflict,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Version {number} is not better than version {current.Version} at a confidence of {rule.Confidence}: {words}. Promote it without a rule, or ask for less."
                )
            );
    }

    private ModelAlias Move(
        CatalogContext context,
        string name,
        string alias,
        ModelAlias? current,
        int number,
        bool isRollback,
        string? reason,
        AuditActor actor
    )
    {
        var before = current?.Version;
        if (current is null)
        {
            current = new ModelAlias
            {
                ModelName = name,
                Alias = alias,
                Version = number,
                ChangedAt = Now(),
                ChangedBy = actor.Name,
            };
            context.ModelAliases.Add(current);
        }
        else
        {
            (current.Version, current.ChangedAt, current.ChangedBy) = (number, Now(), actor.Name);
        }

        Record(context, name, alias, before, number, isRollback, reason, actor);
        var detail = $"{alias}: {(before is null ? "" : $"version {before} → ")}version {number}{(reason is null ? "" : $"; {reason}")}";
        context.Audit(actor, isRollback ? AuditAction.ModelRolledBack : AuditAction.ModelPromoted, Subject(name), Now(), detail);
        return current;
    }

    private void Record(
        CatalogContext context,
        string name,
        string alias,
        int? from,
        int? to,
        bool isRollback,
        string? reason,
        AuditActor actor
    ) =>
        context.AliasChanges.Add(
            new AliasChange
            {
                Id = Guid.CreateVersion7(),
                ModelName = name,
                Alias = alias,
                FromVersion = from,
                ToVersion = to,
                IsRollback = isRollback,
                Reason = reason,
                At = Now(),
                By = actor.Name,
            }
        );

    private DateTime Now() => time.GetUtcNow().UtcDateTime;

    private sealed record Judgement(int? Against, string? Words);
}
