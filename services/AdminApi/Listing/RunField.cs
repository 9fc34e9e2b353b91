using System.Linq.Expressions;
using System.Text.Json;
using Distributed.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Listing;

/// <summary>Where the value of a field is from.</summary>
public enum RunFieldSource
{
    /// <summary>The run itself: its state, its times, how people call it.</summary>
    Run,

    /// <summary>Its specification.</summary>
    Setting,

    /// <summary>Its test result.</summary>
    Metric,
}

/// <summary>Something that runs can be filtered by, and perhaps sorted.</summary>
internal abstract class RunField
{
    /// <summary>Its name in filters and orders.</summary>
    public required string Name { get; init; }

    /// <summary>What it is, in words.</summary>
    public required string Help { get; init; }

    /// <summary>Where its value is from.</summary>
    public required RunFieldSource Source { get; init; }

    /// <summary>What its values are: text, wholeNumber, number, flag, choice, list or time.</summary>
    public required string Type { get; init; }

    /// <summary>What a filter may compare it with, in words that follow "it must be".</summary>
    public required string Allowed { get; init; }

    /// <summary>The names that it is one of; empty where it is no choice.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];

    /// <summary>The operators that filters may have.</summary>
    public abstract IReadOnlyList<string> Operators { get; }

    /// <summary>Whether runs can be sorted by it.</summary>
    public virtual bool CanSort => true;

    /// <summary>Whether every run has a value (every evaluated one, of a metric).</summary>
    public bool IsAlwaysThere { get; init; }

    /// <summary>The condition that a filter stands for; null where it means nothing, which <paramref name="wrong"/> explains in words that go before "; it must be …".</summary>
    /// <param name="operation">One of <see cref="Operators"/>.</param>
    /// <param name="text">What to compare with; empty for the runs without a value.</param>
    /// <param name="wrong">What is wrong with it.</param>
    public abstract Expression<Func<RunRow, bool>>? Compare(string operation, string text, out string wrong);

    /// <summary>The runs that have a value.</summary>
    public abstract IQueryable<RunRow> WithValue(IQueryable<RunRow> rows);

    /// <summary>The runs that have none.</summary>
    public abstract IQueryable<RunRow> WithoutValue(IQueryable<RunRow> rows);

    /// <summary>Some runs in the order of their values, and of their identities where these are equal.</summary>
    /// <param name="rows">Runs that have a value.</param>
    /// <param name="after">Where the page before ended; null for the first page.</param>
    /// <param name="descending">Whether the greatest comes first.</param>
    /// <param name="count">Most runs.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public abstract Task<List<RunPosition>> ReadAsync(
        IQueryable<RunRow> rows,
        RunPosition? after,
        bool descending,
        int count,
        CancellationToken cancellationToken
    );

    /// <summary>Whether a value of a position is one of this field.</summary>
    public abstract bool IsValue(JsonElement value);
}

/// <summary>Where a run stands in an order.</summary>
/// <param name="Value">What it is ordered by, as JSON; null for a run without a value, which comes after all that have one.</param>
/// <param name="Id">The run.</param>
internal sealed record RunPosition(JsonElement? Value, Guid Id);

/// <summary>A field whose values are read, compared and ordered as one type.</summary>
/// <typeparam name="T">The type; one that can be null.</typeparam>
/// <param name="value">The value of a run.</param>
/// <param name="parse">Reads a value; null where the text is none, with what is wrong.</param>
/// <param name="operators">The operators of filters.</param>
internal class RunField<T>(Expression<Func<RunRow, T>> value, RunField<T>.Parse parse, IReadOnlyList<string> operators) : RunField
{
    private static readonly bool IsOrdered = typeof(T) != typeof(bool?);

    /// <summary>Reads a value.</summary>
    public delegate T? Parse(string text, out string wrong);

    /// <summary>A column that has the text in lower case, with an index of what it contains; null where the text itself is read.</summary>
    public Expression<Func<RunRow, string?>>? LowerCase { get; init; }

    /// <inheritdoc />
    public override IReadOnlyList<string> Operators => operators;

    /// <inheritdoc />
    public override bool CanSort => IsOrdered && operators.Count > 2;

    /// <inheritdoc />
    public override Expression<Func<RunRow, bool>>? Compare(string operation, string text, out string wrong)
    {
        wrong = "";
        if (text.Length == 0 && (operation is "=" or "!="))
        {
            var nothing = Expression.Equal(value.Body, Expression.Constant(null, typeof(T)));
            return Condition(operation == "=" ? nothing : Expression.Not(nothing));
        }

        if (parse(text, out wrong) is not { } wanted)
        {
            return null;
        }

        return Condition(
            operation switch
            {
                "=" => Expression.Equal(value.Body, Parameter(wanted)),
                "!=" => Expression.NotEqual(value.Body, Parameter(wanted)),
                "~" => Contains((string)(object)wanted),
                _ => Order(operation, wanted),
            }
        );
    }

    /// <inheritdoc />
    public override IQueryable<RunRow> WithValue(IQueryable<RunRow> rows) =>
        rows.Where(Condition(Expression.NotEqual(value.Body, Expression.Constant(null, typeof(T)))));

    /// <inheritdoc />
    public override IQueryable<RunRow> WithoutValue(IQueryable<RunRow> rows) =>
        rows.Where(Condition(Expression.Equal(value.Body, Expression.Constant(null, typeof(T)))));

    /// <inheritdoc />
    public override async Task<List<RunPosition>> ReadAsync(
        IQueryable<RunRow> rows,
        RunPosition? after,
        bool descending,
        int count,
        CancellationToken cancellationToken
    )
    {
        if (after is { Value: { } last, Id: var id })
        {
            var from = last.Deserialize<T>(ContractJson.Strict)!;
            // The first half alone is a range of an index; without it all runs before it would be read.
            rows = rows.Where(Condition(Order(descending ? "<=" : ">=", from)));
            var isPast = Order(descending ? "<" : ">", from);
            Expression<Func<RunRow, bool>> hasId = descending ? row => row.Id.CompareTo(id) < 0 : row => row.Id.CompareTo(id) > 0;
            rows = rows.Where(Condition(Expression.OrElse(isPast, Rebind(hasId))));
        }

        var sorted = descending ? rows.OrderByDescending(value).ThenByDescending(row => row.Id) : rows.OrderBy(value).ThenBy(row => row.Id);
        var select = Expression.Lambda<Func<RunRow, RunKey<T>>>(
            Expression.MemberInit(
                Expression.New(typeof(RunKey<T>)),
                Expression.Bind(
                    typeof(RunKey<T>).GetProperty(nameof(RunKey<>.Id))!,
                    Expression.Property(value.Parameters[0], nameof(RunRow.Id))
                ),
                Expression.Bind(typeof(RunKey<T>).GetProperty(nameof(RunKey<>.Value))!, value.Body)
            ),
            value.Parameters
        );
        var keys = await sorted.Take(count).Select(select).ToListAsync(cancellationToken);
        return [.. keys.Select(key => new RunPosition(JsonSerializer.SerializeToElement(key.Value, ContractJson.Strict), key.Id))];
    }

    /// <inheritdoc />
    public override bool IsValue(JsonElement json)
    {
        try
        {
            return json.Deserialize<T>(ContractJson.Strict) is not null;
        }
        catch (JsonException)
        {
            // A position of another field, or none of ours.
            return false;
        }
    }

    private Expression<Func<RunRow, bool>> Condition(Expression body) => Expression.Lambda<Func<RunRow, bool>>(body, value.Parameters);

    private Expression Rebind(LambdaExpression condition) =>
        new Rebinding(condition.Parameters[0], value.Parameters[0]).Visit(condition.Body);

    private BinaryExpression Order(string operation, T wanted)
    {
        var (left, right) = (value.Body, (Expression)Parameter(wanted));
        if (typeof(T) == typeof(string))
        {
            left = Expression.Call(typeof(string), nameof(string.Compare), typeArguments: null, left, right);
            right = Expression.Constant(0);
        }

        return operation switch
        {
            "<" => Expression.LessThan(left, right),
            "<=" => Expression.LessThanOrEqual(left, right),
            ">" => Expression.GreaterThan(left, right),
            _ => Expression.GreaterThanOrEqual(left, right),
        };
    }

    private BinaryExpression Contains(string part)
    {
        var text = LowerCase is { } column ? Rebind(column) : Expression.Call(value.Body, nameof(string.ToLower), typeArguments: null);
        var contained = Expression.Call(
            text,
            typeof(string).GetMethod(nameof(string.Contains), [typeof(string)])!,
            Expression.Property(Expression.Constant(new Box<string>(part.ToLowerInvariant())), nameof(Box<>.Value))
        );
        return Expression.AndAlso(Expression.NotEqual(value.Body, Expression.Constant(null, typeof(string))), contained);
    }

    /// <summary>A value that is sent beside the statement, so that statements of other values are the same.</summary>
    private static MemberExpression Parameter(T wanted) =>
        Expression.Property(Expression.Constant(new Box<T>(wanted)), nameof(Box<>.Value));

    private sealed record Box<TValue>(TValue Value);

    private sealed class Rebinding(ParameterExpression from, ParameterExpression to) : ExpressionVisitor
    {
        protected override Expression VisitParameter(ParameterExpression node) => node == from ? to : node;
    }
}
