import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.kotlin.jvm)
}

kotlin {
    compilerOptions {
        // Android 8 has the class library of Java 8; compiling against a newer one would go unnoticed until it runs.
        jvmTarget = JvmTarget.fromTarget(libs.versions.jvmTarget.get())
        freeCompilerArgs.add("-Xjdk-release=${libs.versions.jvmTarget.get()}")
        allWarningsAsErrors = true
    }
}

java {
    sourceCompatibility = JavaVersion.toVersion(libs.versions.jvmTarget.get())
    targetCompatibility = JavaVersion.toVersion(libs.versions.jvmTarget.get())
}

dependencies {
    api(libs.coroutines)
    testImplementation(libs.junit)
}
