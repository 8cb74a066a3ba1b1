package dev.pocketrec.demo

import dev.pocketrec.Pocketrec.EngineFactory
import dev.pocketrec.engine.RawEngine

/** The flavor `lite` answers in Kotlin alone, without native code. */
internal val engineFactory: EngineFactory = EngineFactory(::RawEngine)
