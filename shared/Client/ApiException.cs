using System.Net;

namespace Distributed.Client;

/// <summary>The server refused a request.</summary>
public sealed class ApiException : Exception
{
    /// <summary>Creates the error of an answer.</summary>
    /// <param name="status">Status of the answer.</param>
    /// <param name="message">What is wrong, and what to do.</param>
    /// <param name="errors">What is wrong with each field; empty where no field is.</param>
    public ApiException(HttpStatusCode status, string message, IReadOnlyDictionary<string, string[]>? errors = null)
        : base(message) => (Status, Errors) = (status, errors ?? Errors);

    /// <summary>Creates the error with a message.</summary>
    public ApiException(string message)
        : base(message) { }

    /// <summary>Creates the error with a message and what caused it.</summary>
    public ApiException(string message, Exception innerException)
        : base(message, innerException) { }

    /// <summary>Creates the error without details.</summary>
    public ApiException() { }

    /// <summary>Status of the answer.</summary>
    public HttpStatusCode Status { get; }

    /// <summary>What is wrong with each field of the request.</summary>
    public IReadOnlyDictionary<string, string[]> Errors { get; } = new Dictionary<string, string[]>();
}
