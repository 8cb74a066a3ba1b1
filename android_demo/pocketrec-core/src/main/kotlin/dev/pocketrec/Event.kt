package dev.pocketrec

/**
 * What a user did with an item.
 *
 * @property item an external id.
 * @property event the type, such as `click`.
 * @property time when, in seconds since 1970.
 */
public data class Event(val item: String, val event: String, val time: Double)
