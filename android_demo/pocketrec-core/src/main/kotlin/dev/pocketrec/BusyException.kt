package dev.pocketrec

/** Another writer has the file open; wait for it, or open the file for reading. */
public class BusyException(message: String, cause: Throwable? = null) : DataException(message, cause)
