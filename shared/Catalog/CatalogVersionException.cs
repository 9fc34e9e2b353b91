namespace Distributed.Catalog;

/// <summary>The catalog has a schema that this version of the program does not know: a later version has migrated it.</summary>
public sealed class CatalogVersionException(string message) : Exception(message)
{
    internal static CatalogVersionException Of(IReadOnlyCollection<string> unknown) =>
        new(
            $"The catalog was migrated by a later version of the program: this one does not know its {(unknown.Count == 1 ? "migration" : "migrations")} {string.Join(", ", unknown)}. "
                + "Start the version that made it, or restore the backup from before the upgrade."
        );
}
