using System.Text.Json;

namespace Distributed.Contracts;

/// <summary>Names of choices as they stand in JSON, on command lines, in the catalog and in keys: in camel case.</summary>
public static class ChoiceName
{
    /// <summary>The name of a choice.</summary>
    public static string Of(Enum choice)
    {
        ArgumentNullException.ThrowIfNull(choice);
        return JsonNamingPolicy.CamelCase.ConvertName(choice.ToString());
    }

    /// <summary>The choice of a name that <see cref="Of"/> made.</summary>
    /// <exception cref="ArgumentException">There is no such choice.</exception>
    public static T Parse<T>(string name)
        where T : struct, Enum
    {
        foreach (var choice in Enum.GetValues<T>())
        {
            if (Of(choice) == name)
            {
                return choice;
            }
        }

        throw new ArgumentException($"There is no {typeof(T).Name} called '{name}'.", nameof(name));
    }
}
