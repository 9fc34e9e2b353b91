using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using Distributed.Contracts;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Primitives;

namespace Distributed.AdminApi.Endpoints;

/// <summary>
/// Checks query parameters before they are bound, by what the handler declares: unknown ones, those given twice, and values of the wrong
/// type or out of range are answered all at once, by name, in the same way as fields of a body.
/// </summary>
internal static class StrictQuery
{
    /// <summary>The query parameters of each handler, which are looked up once.</summary>
    private static readonly ConcurrentDictionary<MethodInfo, Dictionary<string, ParameterInfo>> Declared = new();

    /// <summary>Lets nothing but the declared query parameters pass to some endpoints.</summary>
    public static TBuilder WithStrictQuery<TBuilder>(this TBuilder endpoints)
        where TBuilder : IEndpointConventionBuilder => endpoints.WithMetadata(new Marker());

    /// <summary>To be called where endpoints are chosen, and who asks is known.</summary>
    public static void UseStrictQuery(this WebApplication app) =>
        app.Use(
            async (context, next) =>
            {
                var metadata = context.GetEndpoint()?.Metadata;
                if (
                    metadata?.GetMetadata<Marker>() is not null
                    && metadata.GetMetadata<MethodInfo>() is { } handler
                    && FindErrors(handler, context.Request.Query) is { Count: > 0 } errors
                )
                {
                    await TypedResults.ValidationProblem(errors).ExecuteAsync(context);
                    return;
                }

                await next(context);
            }
        );

    private static Dictionary<string, string[]> FindErrors(MethodInfo handler, IQueryCollection query)
    {
        var declared = Declared.GetOrAdd(
            handler,
            static method =>
                method
                    .GetParameters()
                    .Where(parameter => parameter.GetCustomAttribute<FromQueryAttribute>() is not null)
                    .ToDictionary(parameter => parameter.Name!, StringComparer.OrdinalIgnoreCase)
        );
        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        foreach (var (name, values) in query)
        {
            if ((declared.TryGetValue(name, out var parameter) ? Find(parameter, values) : Unknown(name, [.. declared.Keys])) is { } wrong)
            {
                errors[RunSpecificationRules.Shown(name)] = [wrong];
            }
        }

        return errors;
    }

    private static string Unknown(string name, List<string> known) =>
        StrictText.Nearest(name, known) is { } nearest ? $"is an unknown parameter; did you mean {nearest}?"
        : known.Count == 0 ? "is an unknown parameter; there is none here"
        : $"is an unknown parameter; known are {string.Join(", ", known)}";

    private static string? Find(ParameterInfo parameter, StringValues values)
    {
        if (parameter.ParameterType is { IsArray: true } list)
        {
            return values.Select(value => Find(parameter, list.GetElementType()!, value ?? "")).FirstOrDefault(wrong => wrong is not null);
        }

        return values is [{ } text] ? Find(parameter, parameter.ParameterType, text) : "is given twice; give it once";
    }

    private static string? Find(ParameterInfo parameter, Type declared, string text)
    {
        if (text.Length == 0)
        {
            return "is empty; give a value, or leave it out";
        }

        var type = parameter.GetCustomAttribute<EnumDataTypeAttribute>()?.EnumType ?? Nullable.GetUnderlyingType(declared) ?? declared;
        var range = parameter.GetCustomAttribute<RangeAttribute>();
        return type switch
        {
            _ when type == typeof(int) => StrictText.TryParseInteger(text, out var number)
            && number is >= int.MinValue and <= int.MaxValue
            && range?.IsValid((int)number) != false
                ? null
                : Must(text, range is null ? "a whole number" : $"a whole number from {range.Minimum} to {range.Maximum}"),
            _ when type == typeof(long) => StrictText.TryParseInteger(text, out _) ? null : Must(text, "a whole number"),
            _ when type == typeof(bool) => StrictText.TryParseBoolean(text, out _) ? null : Must(text, "true or false"),
            _ when type == typeof(Guid) => Guid.TryParseExact(text, "D", out _)
                ? null
                : Must(text, "an id such as 6f1c1f6e-3a55-4f8e-9d2b-2f6d0c9f1a01"),
            { IsEnum: true } => Enum.GetNames(type).Contains(text, StringComparer.OrdinalIgnoreCase)
                ? null
                : Must(text, string.Join(", ", Enum.GetNames(type)).ToLowerInvariant()),
            _ => null,
        };
    }

    private static string Must(string text, string allowed) => $"is '{RunSpecificationRules.Shown(text)}'; it must be {allowed}";

    private sealed record Marker;
}
