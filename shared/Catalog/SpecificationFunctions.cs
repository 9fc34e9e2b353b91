using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;

namespace Distributed.Catalog;

/// <summary>Settings of a specification inside queries; each database reads JSON by functions of its own.</summary>
public static class SpecificationFunctions
{
    /// <summary>A setting that is a text, or a list as its JSON text; null where the specification leaves it out.</summary>
    /// <param name="specification">The column.</param>
    /// <param name="field">The setting's path in JSON, a constant: <c>training.learningRate</c>.</param>
    public static string? TextOf(string specification, string field) => throw OnlyInQueries();

    /// <summary>A setting that is a number.</summary>
    /// <inheritdoc cref="TextOf" />
    public static double? NumberOf(string specification, string field) => throw OnlyInQueries();

    /// <summary>A setting that is true or false.</summary>
    /// <inheritdoc cref="TextOf" />
    public static bool? FlagOf(string specification, string field) => throw OnlyInQueries();

    // No argument makes the result null by being so: a specification is always there, and a setting in it may not be.

    internal static void MapPostgres(ModelBuilder model)
    {
        Map(model, nameof(TextOf), Extract);
        Map(model, nameof(NumberOf), path => Cast(Extract(path), typeof(double), new DoubleTypeMapping("double precision")));
        Map(model, nameof(FlagOf), path => Cast(Extract(path), typeof(bool), mapping: null));

        static SqlExpression Extract(Arguments arguments) =>
            new SqlFunctionExpression(
                "json_extract_path_text",
                [
                    Cast(arguments.Specification, typeof(string), new StringTypeMapping("json", dbType: null)),
                    .. arguments.Field.Split('.').Select(part => Text(part)),
                ],
                nullable: true,
                argumentsPropagateNullability: [false, .. arguments.Field.Split('.').Select(_ => false)],
                typeof(string),
                new StringTypeMapping("text", dbType: null)
            );
    }

    internal static void MapSqlite(ModelBuilder model)
    {
        Map(model, nameof(TextOf), path => Extract(path, typeof(string), new StringTypeMapping("TEXT", dbType: null)));
        Map(model, nameof(NumberOf), path => Extract(path, typeof(double), new DoubleTypeMapping("REAL")));
        Map(model, nameof(FlagOf), path => Extract(path, typeof(bool), new BoolTypeMapping("INTEGER")));

        static SqlExpression Extract(Arguments arguments, Type type, RelationalTypeMapping mapping) =>
            new SqlFunctionExpression(
                "json_extract",
                [arguments.Specification, Text("$." + arguments.Field)],
                nullable: true,
                argumentsPropagateNullability: [false, false],
                type,
                mapping
            );
    }

    private static void Map(ModelBuilder model, string name, Func<Arguments, SqlExpression> translate) =>
        model
            .HasDbFunction(typeof(SpecificationFunctions).GetMethod(name)!)
            .HasTranslation(arguments => translate(new Arguments(arguments[0], (string)((SqlConstantExpression)arguments[1]).Value!)));

    private static SqlConstantExpression Text(string value) => new(value, new StringTypeMapping("text", dbType: null));

    private static SqlUnaryExpression Cast(SqlExpression value, Type type, RelationalTypeMapping? mapping) =>
        new(System.Linq.Expressions.ExpressionType.Convert, value, type, mapping);

    private static NotSupportedException OnlyInQueries() => new("It is computed by the database.");

    private sealed record Arguments(SqlExpression Specification, string Field);
}
