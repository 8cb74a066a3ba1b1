package dev.pocketrec

/**
 * Every error Pocketrec raises on purpose:
 *
 * ```
 * PocketrecException
 * |-- DataException     the app's own files cannot be used
 * |-- PackageException  a package is damaged, hostile, of a newer format, or lacks what was asked for
 * |-- EngineException   an inference engine is missing, too old, or failed
 * `-- UsageException    a call asks for something that cannot be
 * ```
 *
 * A message says what was expected, what was found, where, and what to do.
 */
public sealed class PocketrecException(message: String, cause: Throwable?) : RuntimeException(message, cause)

/** Files of the app cannot be used as they are. */
public open class DataException(message: String, cause: Throwable? = null) : PocketrecException(message, cause)

/** A package cannot be trusted, or lacks what the call needs. */
public class PackageException(message: String, cause: Throwable? = null) : PocketrecException(message, cause)

/** An inference engine is missing, is older than the package's floor, failed, or was closed. */
public class EngineException(message: String, cause: Throwable? = null) : PocketrecException(message, cause)

/** Arguments that contradict each other or lie outside their range. */
public class UsageException(message: String, cause: Throwable? = null) : PocketrecException(message, cause)
